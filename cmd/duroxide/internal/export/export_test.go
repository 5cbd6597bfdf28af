package export

import (
	"strings"
	"testing"
)

func TestFileName(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"order-17":               "order-17",
		"A.b_c-9":                "A.b_c-9",
		"":                       "-e3b0c442",
		".":                      ".-cdb4ee2a",
		"..":                     "..-5ec1f7e7",
		"../../etc":              ".._.._etc-",
		"order 17":               "order_17-",
		"order/17":               "order_17-",
		"é":                      "_-",
		strings.Repeat("x", 200): strings.Repeat("x", 200),
		strings.Repeat("x", 300): strings.Repeat("x", 200) + "-",
	} {
		got := fileName(id)
		if strings.HasSuffix(want, "-") {
			if !strings.HasPrefix(got, want) || len(got) != len(want)+8 {
				t.Errorf("%q becomes %q, want %q and eight digits", id, got, want)
			}
		} else if got != want {
			t.Errorf("%q becomes %q, want %q", id, got, want)
		}
	}
	if fileName("order 17") == fileName("order/17") {
		t.Error("two ids share a file")
	}
}
