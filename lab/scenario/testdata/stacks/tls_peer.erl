%% TLS connections, from either end. A line on stdin asks for one, with tabs:
%%
%%     ID client|server HOST PORT VERSION TRUST CRLS [CERT KEY]
%%
%% and the answer is "ID listening PORT" of a server, and then "ID STATUS" with
%% what ssl returned behind it and a tab.
-module(tls_peer).
-export([main/0]).

%% A port of its own reads stdin: while io:get_line waits, nobody can print.
main() ->
    {ok, _} = application:ensure_all_started(ssl),
    ask(open_port({fd, 0, 0}, [in, eof, {line, 8192}])).

ask(Stdin) ->
    receive
        {Stdin, {data, {eol, Line}}} -> run(Line), ask(Stdin);
        {Stdin, eof} -> ok
    end.

run(Line) ->
    [Id, As, Host, Port, Version, Trust, _ | Own] = string:lexemes(Line, "\t"),
    Options = [binary, {cacertfile, Trust}, {verify, verify_peer}, {versions, [version(Version)]}
        | case Own of [] -> []; [Cert, Key] -> [{certfile, Cert}, {keyfile, Key}] end],
    spawn(fun() ->
        Result = try
            case As of
                "client" -> client(Host, list_to_integer(Port), Options);
                "server" -> server(Id, Options)
            end
        catch _:Reason -> {error, Reason}
        end,
        case Result of
            ok -> io:format("~s 0~n", [Id]);
            _ -> io:format("~s 1\t~1000p~n", [Id, Result])
        end
    end).

version("1.1") -> 'tlsv1.1';
version("1.2") -> 'tlsv1.2';
version("1.3") -> 'tlsv1.3'.

%% The socket is active, so that an alert is not lost that arrives before it is
%% waited for.
client(Host, Port, Options) ->
    Name = case inet:parse_address(Host) of {ok, Address} -> Address; _ -> Host end,
    case ssl:connect({127, 0, 0, 1}, Port, [{active, true}, {server_name_indication, sni(Name)} | Options], 5000) of
        {ok, Conn} ->
            _ = ssl:send(Conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
            receive
                {ssl, Conn, _} -> ok;
                {ssl_error, Conn, Reason} -> {ssl_error, Reason};
                {ssl_closed, Conn} -> ssl_closed
            after 3000 -> {error, timeout}
            end;
        Error -> Error
    end.

sni(Name) when is_tuple(Name) -> inet:ntoa(Name);
sni(Name) -> Name.

server(Id, Options) ->
    {ok, Listener} = ssl:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}, {fail_if_no_peer_cert, true} | Options]),
    {ok, {_, Port}} = ssl:sockname(Listener),
    io:format("~s listening ~b~n", [Id, Port]),
    {ok, Transport} = ssl:transport_accept(Listener, 20000),
    case ssl:handshake(Transport, 5000) of
        {ok, Conn} ->
            case ssl:recv(Conn, 0, 5000) of
                {ok, _} -> ssl:send(Conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), ssl:close(Conn);
                Error -> Error
            end;
        Error -> Error
    end.
