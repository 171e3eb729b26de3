package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"go.temporal.io/api/serviceerror"
)

var reporting sync.Mutex

// report writes one JSON object a line to standard output; everything else goes to standard error.
func report(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	reporting.Lock()
	defer reporting.Unlock()
	fmt.Fprintf(os.Stdout, "%s\n", text)
}

// describeError adds the gRPC status to the text of an error that came from a call.
func describeError(err error) string {
	var fromService serviceerror.ServiceError
	code := status.Code(err)
	if errors.As(err, &fromService) {
		code = fromService.Status().Code()
	}
	if code == codes.Unknown {
		return err.Error()
	}
	return fmt.Sprintf("%v (grpc %d)", err, code)
}
