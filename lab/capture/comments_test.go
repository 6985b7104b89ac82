package capture

import "testing"

func TestParseExchange(t *testing.T) {
	for _, number := range []int{1, 12345} {
		if got, ok := ParseExchange(exchangeComment(number)); !ok || got != number {
			t.Errorf("exchange %d is read as %d, %v", number, got, ok)
		}
	}
	for _, comment := range []string{"", "3", "exchange", "exchange ", "exchange 0", "exchange -3", "exchange +3", "exchange 03",
		"exchange 3; rejected", "Exchange 3", "an exchange 3", "exchange 99999999999999999999"} {
		if got, ok := ParseExchange(comment); ok {
			t.Errorf("%q is read as exchange %d", comment, got)
		}
	}
}
