package fal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// How much is read of an answer, after it was unpacked. What a hostile or
// broken server sends is to take no more memory than an honest one.
const (
	// maxStatus limits statuses, answers to a submit, and errors. Of a longer
	// one its beginning is read: it may repeat a whole input.
	maxStatus = 1 << 20
	// plainResult limits a result without pictures in it. Their URLs are short.
	plainResult = 16 << 20
	// anyResult limits a result of which it is not known what was asked for.
	anyResult = 64 << 20
	// maxBody limits any answer.
	maxBody = 512 << 20
	// streamResults limits a stream of results, in units of the largest.
	streamResults = 64
	// maxResultValues limits the values in a result that is decoded.
	maxResultValues = 200_000
)

// maxResult is how long the result of a request with the given body may be. The
// pictures are in it, as data URLs, if the request asks for that.
func maxResult(body []byte, u Usage) int64 {
	switch {
	case u.Outputs <= 0 || len(body) == 0:
		return anyResult
	case !bytes.Contains(body, []byte(`"sync_mode":true`)):
		return plainResult
	}
	const pixelsUnknown, bytesOfPixel = 16 << 20, 6 // of four bytes, in base64
	pixels := int64(pixelsUnknown)
	if width, height, ok := u.Size.Dimensions(); ok {
		pixels = int64(width) * int64(height)
	} else if u.MaxPixels > 0 {
		pixels = int64(u.MaxPixels)
	}
	outputs := min(int64(u.Outputs), maxBody/plainResult)
	return plainResult + min(outputs*min(pixels, maxBody)*bytesOfPixel, maxBody-plainResult)
}

// errTooLong says that an answer is longer than is read.
var errTooLong = errors.New("the answer is too long")

// readAll reads an answer to its end and closes it.
func readAll(resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", errTooLong, resp.ContentLength, limit)
	}
	body, err := readSome(resp, limit+1)
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%w: it has more than the %d bytes that are read", errTooLong, limit)
	}
	return body, err
}

// readHead reads the beginning of an answer, which nearly always is all of it,
// and closes it.
func readHead(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	return readSome(resp, maxStatus)
}

// readHeadOrAll reads a result whole, and of an error its beginning.
func readHeadOrAll(resp *http.Response, limit int64) ([]byte, error) {
	if resp.StatusCode >= 300 {
		return readHead(resp)
	}
	return readAll(resp, limit)
}

func readSome(resp *http.Response, most int64) ([]byte, error) {
	if n := resp.ContentLength; n > 0 && n <= min(most, 1<<20) {
		body := make([]byte, n)
		n, err := io.ReadFull(resp.Body, body)
		return body[:n], err
	}
	return io.ReadAll(io.LimitReader(resp.Body, most))
}

// values counts the values of a JSON text, or nearly so: what stands between
// commas, colons and opening brackets outside of its strings.
func values(data []byte) (n int) {
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case ',', ':', '[', '{':
			n++
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++ // what follows is not the end
				}
			}
		}
	}
	return n
}
