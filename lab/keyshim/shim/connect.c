/*
 * Has the TCP connections of the program go through lab, also if the program knows no proxies: its socket is connected
 * to lab, which is asked by SOCKS5 (RFC 1928) for the server. $LAB_RELAY is PORT:PASSWORD. lab listens at that port of
 * 127.0.0.1 and ::1, and says the password to prove that it is lab: once it has ended, another user may listen there.
 * If anything fails, the program connects by itself, as it would have done.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

enum {
	/* milliseconds until the program connects by itself: it may have other things to do, unless it would wait */
	wait_aside = 500,
	wait_blocked = 5000,
	most_peers = 4096,
	longest_password = 64,
	lab_proves_itself = 0x80, /* a method of RFC 1928, section 3, for private use: the password follows the answer */
};

/* mapped is 127.0.0.1 for sockets of IPv6. */
static const struct in6_addr mapped = { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 } } };

static in_port_t relay_port; /* in network order; 0: there is no relay */
static char password[longest_password];
static size_t password_size;

typedef int connect_function(int, const struct sockaddr *, socklen_t);
typedef int name_function(int, struct sockaddr *, socklen_t *);

/* The constructors of other libraries may connect before find_relay has run. */
static int real_connect(int fd, const struct sockaddr *to, socklen_t size)
{
	static _Atomic(connect_function *) found;
	connect_function *f = atomic_load(&found);

	if (f == NULL) {
		f = (connect_function *)dlsym(RTLD_NEXT, "connect");
		atomic_store(&found, f);
	}
	return f(fd, to, size);
}

static int real_getpeername(int fd, struct sockaddr *name, socklen_t *size)
{
	static _Atomic(name_function *) found;
	name_function *f = atomic_load(&found);

	if (f == NULL) {
		f = (name_function *)dlsym(RTLD_NEXT, "getpeername");
		atomic_store(&found, f);
	}
	return f(fd, name, size);
}

/* A peer is the server of a socket that is connected to lab, for getpeername. */
struct peer {
	atomic_int port; /* the socket's own; 0: none, or it is being changed */
	int six;         /* lab's address is ::1, and not 127.0.0.1: both may have connections from the same port */
	socklen_t size;
	struct sockaddr_in6 server; /* or a sockaddr_in */
};

static struct peer peers[most_peers]; /* by the descriptor that was connected, which may be a duplicate of another now */

__attribute__((constructor)) static void find_relay(void)
{
	const char *relay = getenv("LAB_RELAY"), *colon = relay == NULL ? NULL : strchr(relay, ':');
	int saved = errno;

	if (colon != NULL && (password_size = strlen(colon + 1)) > 0 && password_size <= sizeof password) {
		memcpy(password, colon + 1, password_size);
		relay_port = htons((uint16_t)atoi(relay));
	}
	errno = saved;
}

/* own_port returns the port of a socket, or 0; bound is whether it has an address as well, or is none of TCP/IP. */
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
	if (own.sin6_family != AF_INET6)
		return 0;
	*bound = !IN6_IS_ADDR_UNSPECIFIED(&own.sin6_addr);
	return ntohs(own.sin6_port);
}

/* is_lab reports whether an address is lab's. */
static int is_lab(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *four = (const struct sockaddr_in *)address;

		return four->sin_port == relay_port && four->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

		return six->sin6_port == relay_port && (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) || memcmp(&six->sin6_addr, &mapped, sizeof mapped) == 0);
	}
	return 0;
}

/* is_six reports whether an address is one of IPv6, and not a mapped one. */
static int is_six(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* peer_of returns the peer of the socket with that port that is connected to lab, or NULL. */
static struct peer *peer_of(int port, int six)
{
	int i;

	for (i = 0; i < most_peers; i++)
		if (port != 0 && atomic_load(&peers[i].port) == port && peers[i].six == six)
			return &peers[i];
	return NULL;
}

/* forget forgets the peer of an earlier socket with that port. */
static void forget(int port, int six)
{
	struct peer *earlier;

	while ((earlier = peer_of(port, six)) != NULL)
		atomic_store(&earlier->port, 0);
}

/* is_ours reports whether a connection is to go through lab. */
static int is_ours(int fd, const struct sockaddr *to, socklen_t size)
{
	int type = 0, protocol = 0, mark = 0, later = 0, bound;
	char device[IF_NAMESIZE] = "";
	socklen_t length = sizeof type;

	if (to == NULL || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM)
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
	length = sizeof later;
	if (getsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &later, &length) == 0 && later != 0)
		return 0; /* it connects when it first sends */
	if (to->sa_family != AF_INET && to->sa_family != AF_INET6)
		return 0;
	if (size < (to->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) || is_lab(to))
		return 0; /* the kernel says that it is too short; it uses lab as its proxy */
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

/* ask_for asks lab for the server, and reports whether it is lab, and connected to that. */
static int ask_for(int fd, const struct sockaddr *to, const struct timespec *then)
{
	unsigned char request[3 + 4 + 16 + 2] = { 5, 1, lab_proves_itself, 5, 1, 0 }; /* CONNECT */
	unsigned char answer[2 + longest_password + 10];
	const unsigned char *reply = answer + 2 + password_size;
	size_t size = 6, got = 0, whole = 2 + password_size + 10;
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
	while (got < whole) {
		if (!await(fd, POLLIN, then))
			return 0;
		n = recv(fd, answer + got, whole - got, MSG_DONTWAIT);
		if (n > 0)
			got += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return 0;
		if (got >= 2 && (answer[0] != 5 || answer[1] != lab_proves_itself))
			return 0;
	}
	return memcmp(answer + 2, password, password_size) == 0 && reply[0] == 5 && reply[1] == 0;
}

/* longest_wait returns the milliseconds that a socket may take to be connected through lab. */
static int longest_wait(int fd)
{
	struct timeval most = { 0 };
	socklen_t length = sizeof most;
	long long ms;

	if ((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0)
		return wait_aside;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, &length) != 0)
		return wait_blocked;
	ms = most.tv_sec * 1000LL + most.tv_usec / 1000;
	return ms > 0 && ms < wait_blocked ? (int)ms : wait_blocked;
}

/* through_lab connects a socket to lab, and reports whether lab has reached the server. */
static int through_lab(int fd, const struct sockaddr *to)
{
	struct sockaddr_in lab = { .sin_family = AF_INET, .sin_port = relay_port, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 lab6 = { .sin6_family = AF_INET6, .sin6_port = relay_port, .sin6_addr = in6addr_loopback };
	struct timespec then;
	int status, wait, error = 0;
	socklen_t length;

	wait = longest_wait(fd);
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
		/* A socket that was connected to an address of the other kind, mapped or not, cannot be used for this kind. */
		if (!is_six(to))
			lab6.sin6_addr = mapped;
		status = real_connect(fd, (struct sockaddr *)&lab6, sizeof lab6);
	}
	if (status != 0) {
		if ((errno != EINPROGRESS && errno != EINTR) || !await(fd, POLLOUT, &then))
			return 0;
		length = sizeof error;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
			return 0;
	}
	return ask_for(fd, to, &then);
}

EXPORTED int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	int saved = errno, bound, error, port, status;
	socklen_t length = sizeof error;

	if (relay_port == 0 || !is_ours(fd, to, size) || has_another_way(CALLER)) {
		errno = saved;
		status = real_connect(fd, to, size);
		saved = errno;
		if (relay_port != 0 && to != NULL && size >= sizeof(struct sockaddr_in) && to->sa_family == AF_INET && is_lab(to))
			forget(own_port(fd, &bound), 0);
		errno = saved;
		return status;
	}
	if (!through_lab(fd, to)) {
		real_connect(fd, &nowhere, sizeof nowhere); /* as it was before */
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length); /* which disconnecting sets */
		errno = saved;
		return real_connect(fd, to, size);
	}
	port = own_port(fd, &bound);
	forget(port, is_six(to));
	if (fd < most_peers) {
		atomic_store(&peers[fd].port, 0);
		peers[fd].six = is_six(to);
		peers[fd].size = to->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		memcpy(&peers[fd].server, to, peers[fd].size);
		atomic_store(&peers[fd].port, port);
	}
	errno = saved;
	return 0;
}

EXPORTED int getpeername(int fd, struct sockaddr *name, socklen_t *size)
{
	int saved = errno, bound;
	socklen_t room = size == NULL ? 0 : *size, length;
	struct sockaddr_in6 real = { 0 };
	const struct sockaddr *lab = (const struct sockaddr *)&real;
	const struct peer *peer;

	if (real_getpeername(fd, name, size) != 0)
		return -1;
	if (relay_port == 0)
		return 0;
	length = sizeof real;
	if (real_getpeername(fd, (struct sockaddr *)&real, &length) == 0 && is_lab(lab) &&
	    (peer = peer_of(own_port(fd, &bound), is_six(lab))) != NULL) {
		memcpy(name, &peer->server, room < peer->size ? room : peer->size);
		*size = peer->size;
	}
	errno = saved;
	return 0;
}
