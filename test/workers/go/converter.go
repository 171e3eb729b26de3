package main

import (
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// dataConverter gives the SDK's own, or with CODEC=zlib one that changes every payload, as encrypting ones do.
func dataConverter() converter.DataConverter {
	if os.Getenv("CODEC") != "zlib" {
		return converter.GetDefaultDataConverter()
	}
	codec := converter.NewZlibCodec(converter.ZlibCodecOptions{AlwaysEncode: true})
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codec)
}

// withConverters also hides every failure's words, where a codec is asked for.
func withConverters(options client.Options) client.Options {
	if os.Getenv("CODEC") == "zlib" {
		options.DataConverter = dataConverter()
		options.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
			DataConverter: dataConverter(), EncodeCommonAttributes: true,
		})
	}
	return options
}
