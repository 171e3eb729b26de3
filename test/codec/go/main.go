// Encodes or decodes payloads as the Go SDK's encryption sample does.
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type encryption struct {
	boxes  map[string]cipher.AEAD
	newest string
}

var _ converter.PayloadCodec = (*encryption)(nil)

func readKeys(lines string) (*encryption, error) {
	codec := &encryption{boxes: map[string]cipher.AEAD{}}
	for _, line := range strings.Split(lines, ";") {
		id, encoded, _ := strings.Cut(line, " ")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("the key %q is not base64", id)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		if codec.boxes[id], err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
		codec.newest = id
	}
	return codec, nil
}

func (c *encryption) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	encoded := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plain, err := proto.Marshal(payload)
		if err != nil {
			return nil, err
		}
		box := c.boxes[c.newest]
		nonce := make([]byte, box.NonceSize())
		if _, err := rand.Read(nonce); err != nil {
			return nil, err
		}
		encoded[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte("binary/encrypted"),
				"encryption-key-id":        []byte(c.newest),
			},
			Data: box.Seal(nonce, nonce, plain, nil),
		}
	}
	return encoded, nil
}

func (c *encryption) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		decoded[i] = payload
		if string(payload.Metadata[converter.MetadataEncoding]) != "binary/encrypted" {
			continue
		}
		box, ok := c.boxes[string(payload.Metadata["encryption-key-id"])]
		if !ok || len(payload.Data) < box.NonceSize() {
			return nil, errors.New("another key's payload, or none")
		}
		plain, err := box.Open(nil, payload.Data[:box.NonceSize()], payload.Data[box.NonceSize():], nil)
		if err != nil {
			return nil, err
		}
		decoded[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plain, decoded[i]); err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

func run() error {
	codec, err := readKeys(os.Getenv("CODEC_KEYS"))
	if err != nil {
		return err
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var message commonpb.Payloads
	if err := protojson.Unmarshal(input, &message); err != nil {
		return err
	}
	work := codec.Decode
	if os.Args[1] == "encode" {
		work = codec.Encode
	}
	if message.Payloads, err = work(message.Payloads); err != nil {
		return err
	}
	output, err := protojson.Marshal(&message)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(output)
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
