/*
 * Has the TCP connections of the program go through lab, at the port of 127.0.0.1 that $LAB_RELAY names, also if the
 * program knows no proxies: its socket is connected to lab, which is asked by SOCKS5 (RFC 1928) for the server. If
 * anything fails, the program connects by itself, as it would have done.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum {
	/* milliseconds until the program connects by itself: it may have other things to do, unless it would wait */
	wait_aside = 500,
	wait_blocked = 5000,
	most_peers = 4096,
};

/* mapped is 127.0.0.1 for sockets of IPv6. */
static const struct in6_addr mapped = { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 } } };

static in_port_t relay_port; /* in network order; 0: there is no relay */

typedef int connect_function(int, const struct sockaddr *, socklen_t);
typedef int name_function(int, struct sockaddr *, socklen_t *);

static connect_function *real_connect;
static name_function *real_getpeername;

/* A peer is the server of a socket that is connected to lab, for getpeername. */
struct peer {
	atomic_int port; /* the socket's own; 0: none, or it is being changed */
	socklen_t size;
	struct sockaddr_in6 server; /* or a sockaddr_in */
};

static struct peer peers[most_peers]; /* by descriptor */

__attribute__((constructor)) static void find_relay(void)
{
	const char *port = getenv("LAB_RELAY");

	real_connect = (connect_function *)dlsym(RTLD_NEXT, "connect");
	real_getpeername = (name_function *)dlsym(RTLD_NEXT, "getpeername");
	if (port != NULL)
		relay_port = htons((uint16_t)atoi(port));
}

/* own_port returns the port of a socket, or 0; bound is whether it has an address as well. */
static int own_port(int fd, int *bound)
{
	struct sockaddr_in6 own = { 0 };
	const struct sockaddr_in *own4 = (const struct sockaddr_in *)&own;
	socklen_t size = sizeof own;

	*bound = 1;
	if (getsockname(fd, (struct sockaddr *)&own, &size) != 0)
		return 0;
	if (own.sin6_family == AF_INET) {
		*bound = own4->sin_addr.s_addr != htonl(INADDR_ANY);
		return ntohs(own4->sin_port);
	}
	*bound = !IN6_IS_ADDR_UNSPECIFIED(&own.sin6_addr);
	return ntohs(own.sin6_port);
}

/* is_ours reports whether a connection is to go through lab. */
static int is_ours(int fd, const struct sockaddr *to, socklen_t size)
{
	int type = 0, protocol = 0, mark = 0, bound;
	char device[IF_NAMESIZE] = "";
	socklen_t length = sizeof type;

	if (relay_port == 0 || to == NULL || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM)
		return 0;
	length = sizeof protocol;
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0 || (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP))
		return 0;
	length = sizeof mark; /* for routing, which lab's connection would not have */
	if (getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &length) == 0 && mark != 0)
		return 0;
	length = sizeof device;
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length) == 0 && device[0] != '\0')
		return 0;
	if (to->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *server = (const struct sockaddr_in *)to;

		if (server->sin_port == relay_port && server->sin_addr.s_addr == htonl(INADDR_LOOPBACK))
			return 0; /* it uses lab as its proxy */
	} else if (to->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *server = (const struct sockaddr_in6 *)to;

		if (server->sin6_port == relay_port && memcmp(&server->sin6_addr, &mapped, sizeof mapped) == 0)
			return 0; /* likewise */
	} else {
		return 0;
	}
	return own_port(fd, &bound) == 0 && !bound;
}

/* A Java program's connections have another way, and some are to lab itself, as are those of java.c. */
static int has_another_way(void *caller)
{
	static const char *const libraries[] = { "libnet.so", "libnio.so", "libextnet.so", "libdt_socket.so" };
	Dl_info from;
	const char *base;
	size_t i;

	if (dladdr(caller, &from) == 0 || from.dli_fname == NULL)
		return 0;
	base = strrchr(from.dli_fname, '/');
	base = base == NULL ? from.dli_fname : base + 1;
	if (strncmp(base, "keyshim", 7) == 0)
		return 1;
	for (i = 0; i < sizeof libraries / sizeof *libraries; i++)
		if (strcmp(base, libraries[i]) == 0)
			return 1;
	return 0;
}

/* left returns the milliseconds until then, 0 at least. */
static int left(const struct timespec *then)
{
	struct timespec now;
	long long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (then->tv_sec - now.tv_sec) * 1000LL + (then->tv_nsec - now.tv_nsec) / 1000000;
	return ms < 0 ? 0 : (int)ms;
}

/* await waits until a socket, which may block or not, is ready for something. It reports whether it is. */
static int await(int fd, short events, const struct timespec *then)
{
	struct pollfd p = { fd, events, 0 };
	int n;

	while ((n = poll(&p, 1, left(then))) < 0 && errno == EINTR)
		;
	return n == 1;
}

/* ask_for asks lab for the server, and reports whether it is connected to that. */
static int ask_for(int fd, const struct sockaddr *to, const struct timespec *then)
{
	unsigned char request[3 + 4 + 16 + 2] = { 5, 1, 0, 5, 1, 0 }; /* no authentication; CONNECT */
	unsigned char answer[2 + 10];
	size_t size = 6, got = 0;
	ssize_t n;

	if (to->sa_family == AF_INET) {
		const struct sockaddr_in *server = (const struct sockaddr_in *)to;

		request[size++] = 1;
		memcpy(request + size, &server->sin_addr, 4);
		memcpy(request + size + 4, &server->sin_port, 2);
		size += 6;
	} else {
		const struct sockaddr_in6 *server = (const struct sockaddr_in6 *)to;

		request[size++] = 4;
		memcpy(request + size, &server->sin6_addr, 16);
		memcpy(request + size + 16, &server->sin6_port, 2);
		size += 18;
	}
	if (send(fd, request, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
		return 0;
	while (got < sizeof answer) {
		if (!await(fd, POLLIN, then))
			return 0;
		n = recv(fd, answer + got, sizeof answer - got, MSG_DONTWAIT);
		if (n > 0)
			got += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return 0;
		if (got >= 4 && answer[3] != 0)
			return 0; /* the server cannot be reached: the program sees that for itself */
	}
	return answer[0] == 5 && answer[1] == 0 && answer[2] == 5;
}

/* through_lab connects a socket to lab, and reports whether lab has reached the server. */
static int through_lab(int fd, const struct sockaddr *to)
{
	struct sockaddr_in lab = { .sin_family = AF_INET, .sin_port = relay_port, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 lab6 = { .sin6_family = AF_INET6, .sin6_port = relay_port, .sin6_addr = mapped };
	struct timespec then;
	int status, wait, error = 0, off = 0;
	socklen_t length = sizeof error;

	wait = (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 ? wait_aside : wait_blocked;
	clock_gettime(CLOCK_MONOTONIC, &then);
	then.tv_sec += wait / 1000;
	then.tv_nsec += wait % 1000 * 1000000L;
	if (then.tv_nsec >= 1000000000L) {
		then.tv_sec++;
		then.tv_nsec -= 1000000000L;
	}
	if (to->sa_family == AF_INET) {
		status = real_connect(fd, (struct sockaddr *)&lab, sizeof lab);
	} else {
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
			return 0;
		status = real_connect(fd, (struct sockaddr *)&lab6, sizeof lab6);
	}
	if (status != 0) {
		if ((errno != EINPROGRESS && errno != EINTR) || !await(fd, POLLOUT, &then))
			return 0;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
			return 0;
	}
	return ask_for(fd, to, &then);
}

EXPORTED int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	int saved = errno, bound;

	if (real_connect == NULL) {
		errno = ENOSYS;
		return -1;
	}
	if (fd >= 0 && fd < most_peers)
		atomic_store(&peers[fd].port, 0);
	if (!is_ours(fd, to, size) || has_another_way(CALLER)) {
		errno = saved;
		return real_connect(fd, to, size);
	}
	if (!through_lab(fd, to)) {
		real_connect(fd, &nowhere, sizeof nowhere); /* as it was before */
		errno = saved;
		return real_connect(fd, to, size);
	}
	if (fd < most_peers) {
		peers[fd].size = to->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		memcpy(&peers[fd].server, to, peers[fd].size);
		atomic_store(&peers[fd].port, own_port(fd, &bound));
	}
	errno = saved;
	return 0;
}

EXPORTED int getpeername(int fd, struct sockaddr *name, socklen_t *size)
{
	int saved = errno, bound, port = fd >= 0 && fd < most_peers ? atomic_load(&peers[fd].port) : 0;
	socklen_t room = size == NULL ? 0 : *size;

	if (real_getpeername == NULL) {
		errno = ENOSYS;
		return -1;
	}
	if (real_getpeername(fd, name, size) != 0)
		return -1;
	if (port != 0 && port == own_port(fd, &bound)) { /* or else it is another socket by now */
		memcpy(name, &peers[fd].server, room < peers[fd].size ? room : peers[fd].size);
		*size = peers[fd].size;
	}
	errno = saved;
	return 0;
}
