#include "textflag.h"

// storeSecret is what lab copies into a program (ring_linux_amd64.go): never run
// in lab. A function of the program with Go's ABIInternal has a jump to it as
// its first instruction; its arguments are label (BX, CX), client random
// (DI, SI, R8) and secret (R9, R10, R11), and R14 is the goroutine. DX, R13 and
// the X registers may be changed. The three places with a pattern are filled in.
//
// The ring is a bounded queue of several producers (Dmitry Vyukov's): the slot
// for number n is free if its sequence number is n, and full if it is n+1.
TEXT storeSecret<>(SB), NOSPLIT|NOFRAME, $0-0
	// The function's own first instruction: LEAQ -frame(SP), R12.
	QUAD $0x9090909090909090
	CMPQ R12, 16(R14)
	JLS  on                            // it calls itself again with a larger stack
	CMPQ CX, $32
	JHI  stop
	CMPQ SI, $32
	JNE  stop
	CMPQ R10, $48
	JHI  stop
	MOVQ AX, X0
	MOVQ $0x5249_4e47_5249_4e47, R13   // the ring
	MOVQ 0(R13), AX                    // the next number

next:
	MOVQ AX, DX
	ANDQ 8(R13), DX                    // its slot
	CMPQ AX, 64(R13)(DX*8)
	JNE  full
	LEAQ 1(AX), DX
	LOCK
	CMPXCHGQ DX, 0(R13)
	JNE  next                          // another thread has taken the number
	MOVQ CX, X1
	MOVQ DI, X2
	MOVQ SI, X3
	MOVQ AX, DX
	ANDQ 8(R13), DX
	SHLQ $7, DX
	ADDQ 16(R13), DX                   // the slot's address
	MOVQ CX, 0(DX)
	MOVQ R10, 8(DX)
	MOVOU 0(DI), X4
	MOVOU 16(DI), X5
	MOVOU X4, 16(DX)
	MOVOU X5, 32(DX)
	LEAQ 48(DX), DI
	MOVQ BX, SI
	REP; MOVSB
	LEAQ 80(DX), DI
	MOVQ R9, SI
	MOVQ R10, CX
	REP; MOVSB
	MOVQ AX, DX
	ANDQ 8(R13), DX
	INCQ AX
	MOVQ AX, 64(R13)(DX*8)             // full
	MOVQ X3, SI
	MOVQ X2, DI
	MOVQ X1, CX
	MOVQ X0, AX

on:
	MOVQ $0x474f_4f4e_474f_4f4e, R13   // where the function goes on
	JMP  R13

full:
	MOVQ X0, AX

stop:
	BYTE $0xcc                         // the tracer takes what is in the ring, and this one
	JMP  on
	QUAD $0x454e_4445_454e_4445        // the end

// storeSecretAt is the address of storeSecret.
DATA ·storeSecretAt(SB)/8, $storeSecret<>(SB)
GLOBL ·storeSecretAt(SB), RODATA|NOPTR, $8
