package endpoint

import (
	"encoding/json"
	"testing"
)

func TestTextForms(t *testing.T) {
	type sides struct {
		A Side `json:"a"`
		B Side `json:"b,omitempty"`
	}
	for text, want := range map[string]sides{
		`{"a":"client","b":"server"}`: {Client, Server},
		`{"a":""}`:                    {},
	} {
		var got sides
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
		if written, err := json.Marshal(want); err != nil || string(written) != text {
			t.Errorf("%v is written as %s, %v", want, written, err)
		}
	}
	if err := new(Side).UnmarshalText([]byte("middle")); err == nil {
		t.Error("middle is taken for a side")
	}
	if got := Unknown.String() + " " + Server.String() + " " + Side(9).String(); got != "unknown server side(9)" {
		t.Error(got)
	}
}

func TestOther(t *testing.T) {
	if Client.Other() != Server || Server.Other() != Client || Unknown.Other() != Unknown {
		t.Errorf("%v, %v, %v", Client.Other(), Server.Other(), Unknown.Other())
	}
}

func TestPair(t *testing.T) {
	p := Pair[string]{Client: "c", Server: "s"}
	*p.Of(Server) += "!"
	got := ""
	for side, value := range p.All() {
		got += side.String() + "=" + *value + " "
	}
	if got != "client=c server=s! " {
		t.Error(got)
	}
}
