package tlsdecrypt

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"

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

func unpacker(packed *tlswire.CompressedCertificate) (io.Reader, error) {
	switch packed.Algorithm {
	case tlswire.CompressionZlib:
		return zlib.NewReader(bytes.NewReader(packed.Compressed))
	case tlswire.CompressionBrotli:
		return brotli.NewReader(bytes.NewReader(packed.Compressed)), nil
	case tlswire.CompressionZstd:
		return newZstdReader(packed.Compressed, uint64(packed.UncompressedLength))
	}
	return nil, fmt.Errorf("%v is not a compression that is known here", packed.Algorithm)
}

// newZstdReader returns a reader of what was compressed with zstd (RFC 8878),
// size bytes or fewer. The standard library has a decoder, but only for the
// compressed sections of ELF files. So this writes such a file: its header, the
// header of its one section, and the section. Other decoders are larger: lab
// would grow by 0.3 MB.
func newZstdReader(compressed []byte, size uint64) (io.Reader, error) {
	header := elf.Header64{Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Version: uint32(elf.EV_CURRENT), Shnum: 1}
	section := elf.Section64{Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_COMPRESSED)}
	content := elf.Chdr64{Type: uint32(elf.COMPRESS_ZSTD), Size: size}
	header.Shoff, header.Shentsize = uint64(binary.Size(header)), uint16(binary.Size(section))
	section.Off, section.Size = header.Shoff+uint64(header.Shentsize), uint64(binary.Size(content)+len(compressed))
	var file bytes.Buffer
	for _, part := range []any{header, section, content, compressed} {
		_ = binary.Write(&file, binary.LittleEndian, part) // never fails
	}
	f, err := elf.NewFile(bytes.NewReader(file.Bytes()))
	if err != nil {
		return nil, err
	}
	return f.Sections[0].Open(), nil
}
