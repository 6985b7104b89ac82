#!/usr/bin/env escript
%% A server or client in Erlang; sealed.go says what the environment has.
-mode(compile).

main([Role]) ->
    {ok, _} = application:ensure_all_started(ssl),
    logger:set_primary_config(level, none),
    Common = [binary, {active, false}, {versions, ['tlsv1.3']}, {cacertfile, env("CA")}, {verify, verify_peer}, {depth, 3}]
        ++ [{supported_groups, [list_to_atom(env("GROUP"))]} || env("GROUP") =/= ""]
        ++ [{ciphers, [env("SUITE")]} || env("SUITE") =/= ""]
        ++ [O || env("CHAIN") =/= "", O <- [{certfile, env("CHAIN")}, {keyfile, env("KEY")}]],
    case Role of
        "server" -> serve(Common);
        "client" -> [call(Common) || _ <- lists:seq(1, case env("RESUME") of "" -> 1; _ -> 2 end)]
    end.

env(Name) -> os:getenv(Name, "").
number(Name) -> list_to_integer(env(Name)).

serve(Common) ->
    Ask = case env("ASK") of
              "on" -> [{fail_if_no_peer_cert, true}];
              "optional" -> [{fail_if_no_peer_cert, false}];
              "off" -> [{verify, verify_none}]
          end,
    Tickets = case env("TICKETS") of "0" -> disabled; _ -> stateless end,
    Options = Ask ++ [O || {K, _} = O <- Common, not lists:keymember(K, 1, Ask)] ++ [binary, {session_tickets, Tickets}, {reuseaddr, true}, {ip, {127, 0, 0, 1}}],
    {ok, Listener} = ssl:listen(number("PORT"), Options),
    accept(Listener).

accept(Listener) ->
    {ok, Tcp} = ssl:transport_accept(Listener),
    case ssl:handshake(Tcp, 12000) of
        {ok, Tls} -> catch answer(Tls);
        Error -> io:format("erlang: ~p~n", [Error])
    end,
    accept(Listener).

answer(Tls) ->
    {ok, Request} = receive_head(Tls, <<>>),
    N = number("ANSWER"),
    ok = ssl:send(Tls, [io_lib:format("HTTP/1.1 200 OK\r\nContent-Length: ~p\r\n\r\n", [N]), binary:copy(<<"y">>, N)]),
    case binary:match(Request, <<"Connection: close">>) of
        nomatch -> answer(Tls);
        _ -> ssl:close(Tls)
    end.

receive_head(Tls, Got) ->
    case binary:match(Got, <<"\r\n\r\n">>) of
        nomatch ->
            {ok, More} = ssl:recv(Tls, 0, 12000),
            receive_head(Tls, <<Got/binary, More/binary>>);
        _ -> {ok, Got}
    end.

call(Common) ->
    Options = Common ++ [{server_name_indication, env("NAME")}]
        ++ [{session_tickets, auto} || env("RESUME") =/= ""]
        ++ [O || env("NAME") =/= "", O <- [{customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}]],
    case ssl:connect({127, 0, 0, 1}, number("PORT"), Options, 12000) of
        {ok, Tls} ->
            R = (catch [ask(Tls, Left) || Left <- lists:seq(number("REQUESTS"), 1, -1)]),
            io:format("erlang: ~p~n", [R]),
            ssl:close(Tls);
        Error -> io:format("erlang: ~p~n", [Error])
    end.

ask(Tls, Left) ->
    Close = case Left of 1 -> "Connection: close\r\n"; _ -> "" end,
    N = number("BODY"),
    ok = ssl:send(Tls, [io_lib:format("~s /index.html HTTP/1.1\r\nHost: ~s\r\nContent-Length: ~p\r\n~s\r\n", [env("METHOD"), env("NAME"), N, Close]), binary:copy(<<"x">>, N)]),
    {ok, _} = receive_head(Tls, <<>>).
