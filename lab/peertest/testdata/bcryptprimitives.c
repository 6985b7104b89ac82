/*
 * The one function of Windows's bcryptprimitives.dll that a Go program needs
 * to start, and that Wine 8 lacks: random bytes. RtlGenRandom of advapi32 is
 * exported as SystemFunction036.
 */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
    return RtlGenRandom(data, size);
}
