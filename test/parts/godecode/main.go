// Decodes messages as the engine does, with the module that the engine is built with, and says what it found.
//
// Standard input: length-prefixed frames (4 bytes, big endian). The first is JSON, {"request": {field: role},
// "response": {field: role}, "entries": [role]}, with full field names. Each one after it is a message: a byte for the direction
// (0 request, 1 response), two bytes for the length of the path, the path, the message. Standard output: one line
// of JSON for each message, in the same order.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
)

func main() {
	if err := serve(bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriterSize(os.Stdout, 1<<20)); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func serve(in *bufio.Reader, out *bufio.Writer) error {
	first, err := readFrame(in)
	if err != nil {
		return err
	}
	var roles rolesByDirection
	if err := json.Unmarshal(first, &roles); err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	for {
		frame, err := readFrame(in)
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if err := lines.Encode(answer(frame, roles)); err != nil {
			return err
		}
		// Whoever asks waits for the answers to what was sent: nothing may stay in the buffer.
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func readFrame(in *bufio.Reader) ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(prefix[:]))
	_, err := io.ReadFull(in, frame)
	return frame, err
}
