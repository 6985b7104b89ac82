package room

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"mtlslab.example/lab/lab"
)

// Send sends a report to the room of a server, at its URL, with the credentials
// of a client. It returns why that failed, in words for the participant, or the
// error of ctx if that has ended.
func Send(ctx context.Context, to *url.URL, credentials lab.Credentials, r Report) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	at := to.JoinPath(Path)
	put := func(conn *tls.Conn) (*lab.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, at.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Close = true
		if err := request.Write(conn); err != nil {
			return nil, err
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), request)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(answer.Body, mostOfWhy))
		return &lab.Response{Status: answer.StatusCode, Proto: answer.Proto, Body: said}, nil
	}
	var ended atomic.Pointer[lab.Exchange]
	journal := &lab.Journal{Each: ended.Store}
	client, err := lab.NewClient(lab.ClientOptions{URL: at, Ask: put}, lab.Settings{Credentials: credentials, Journal: journal})
	if err != nil {
		return err
	}
	response, err := client.Call(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	journal.Wait(ctx)
	exchange := ended.Load() // nil: it has yet to be judged
	var rejected *lab.RejectedError
	switch {
	case errors.As(err, &rejected) && exchange != nil && exchange.Reason != "":
		return errors.New(exchange.Reason)
	case err != nil:
		return err
	}
	return refusal(response, exchange)
}

// refusal says why an answer does not mean that the report was taken.
func refusal(r *lab.Response, x *lab.Exchange) error {
	switch {
	case r.Status == http.StatusNoContent:
		return nil
	case r.Status == http.StatusNotFound:
		return errors.New("that server takes no reports: lab server --room does")
	case r.Status == http.StatusTooManyRequests:
		return errors.New("there were too many reports in a short time")
	case x != nil && x.Reason != "":
		return errors.New(x.Reason)
	}
	return fmt.Errorf("the server answered %d", r.Status)
}
