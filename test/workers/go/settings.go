package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// connect dials with what the program was given and nothing else: an address, a name to expect there, and a
// certificate. Without TEMPORAL_TLS_CERT the connection is plain TCP, for trying it against a bare server.
func connect() (client.Client, error) {
	address, err := required("TEMPORAL_ADDRESS")
	if err != nil {
		return nil, err
	}
	namespace, err := required("TEMPORAL_NAMESPACE")
	if err != nil {
		return nil, err
	}
	options := client.Options{
		HostPort:  address,
		Namespace: namespace,
		// Standard output is the report.
		Logger: log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	if os.Getenv("TEMPORAL_TLS_CERT") != "" {
		if options.ConnectionOptions.TLS, err = readTLS(); err != nil {
			return nil, err
		}
	}
	return client.Dial(withConverters(options))
}

func readTLS() (*tls.Config, error) {
	serverName, err := required("TEMPORAL_TLS_SERVER_NAME")
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(os.Getenv("TEMPORAL_TLS_CA"))
	if err != nil {
		return nil, fmt.Errorf("TEMPORAL_TLS_CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("TEMPORAL_TLS_CA holds no certificate")
	}
	pair, err := tls.LoadX509KeyPair(os.Getenv("TEMPORAL_TLS_CERT"), os.Getenv("TEMPORAL_TLS_KEY"))
	if err != nil {
		return nil, fmt.Errorf("TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY: %w", err)
	}
	return &tls.Config{ServerName: serverName, RootCAs: roots, Certificates: []tls.Certificate{pair}}, nil
}

func required(name string) (string, error) {
	value := os.Getenv(name)
	if value == "" {
		return "", fmt.Errorf("set %s", name)
	}
	return value, nil
}
