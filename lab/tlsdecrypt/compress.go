package tlsdecrypt

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"mtlslab.example/lab/lab/tlswire"
)

// unpack returns the Certificate message in a CompressedCertificate
// (RFC 8879 section 4). It is nil when it cannot be unpacked or has another
// length than it claims.
func unpack(packed *tlswire.CompressedCertificate, ctx tlswire.Context) (*tlswire.Handshake, error) {
	if packed.UncompressedLength > tlswire.MaxHandshake {
		return nil, fmt.Errorf("the certificate would have %d bytes unpacked, above the limit of %d", packed.UncompressedLength, tlswire.MaxHandshake)
	}
	r, err := unpacker(packed)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, int64(packed.UncompressedLength)+1))
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be unpacked with %v: %w", packed.Algorithm, err)
	}
	if len(body) != int(packed.UncompressedLength) {
		return nil, fmt.Errorf("the certificate does not have the %d bytes unpacked that uncompressed_length claims", packed.UncompressedLength)
	}
	n := len(body)
	raw := append([]byte{byte(tlswire.TypeCertificate), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	inner, err := tlswire.ParseHandshake(raw, ctx)
	return &inner, err
}

func unpacker(packed *tlswire.CompressedCertificate) (io.ReadCloser, error) {
	in := bytes.NewReader(packed.Compressed)
	switch packed.Algorithm {
	case tlswire.CompressionZlib:
		return zlib.NewReader(in)
	case tlswire.CompressionBrotli:
		return io.NopCloser(brotli.NewReader(in)), nil
	case tlswire.CompressionZstd:
		// No window need be larger than what is unpacked.
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(2*tlswire.MaxHandshake))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("%v is not a compression that is known here", packed.Algorithm)
}
