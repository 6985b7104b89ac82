/*
 * Logs the TLS keys of the program that it is preloaded into, for programs that use OpenSSL 1.1.1 or 3 as a shared
 * library. Lines go to the file that $SSLKEYLOGFILE names (RFC 9850). For Java, see java.c.
 *
 * OpenSSL hands every line to a callback that an SSL_CTX has. The functions that make an SSL_CTX, use it or change its
 * callback are interposed, so that the callback is log_line, which hands on each line to the program's own callback.
 *
 * OpenSSL's headers are not needed: its types are only ever pointers here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

typedef void keylog_callback(const void *ssl, const char *line);

/* The log. */

static const char *log_path;
static atomic_int log_fd = -1; /* -1 while nothing can be logged */
static struct stat log_file;   /* what log_fd was opened on */

/*
 * open_log opens the log, but never through a symbolic link, nor a file of somebody else or one that is none. Its
 * descriptor is out of the way of the low ones that programs count on.
 */
static int open_log(void)
{
	enum { out_of_the_way = 200 };
	int fd = open(log_path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0600);
	int high;

	if (fd < 0)
		return -1;
	if (fstat(fd, &log_file) != 0 || !S_ISREG(log_file.st_mode) || log_file.st_uid != geteuid()) {
		close(fd);
		return -1;
	}
	high = fcntl(fd, F_DUPFD_CLOEXEC, out_of_the_way);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/*
 * start opens the log before the program can drop its privileges or clear its environment. Forks inherit it; a program
 * that is executed runs start again.
 */
__attribute__((constructor)) static void start(void)
{
	int saved = errno;
	const char *path = getenv("SSLKEYLOGFILE");

	if (path != NULL && path[0] == '/' && (log_path = strdup(path)) != NULL)
		atomic_store(&log_fd, open_log());
	errno = saved;
}

/*
 * check_log opens the log again if the program has closed log_fd, which may be a socket by now. It is called before
 * every connection, and not before every line, of which a connection has five.
 */
static void check_log(void)
{
	struct stat now;
	int saved = errno, fd = atomic_load(&log_fd);

	if (fd >= 0 && (fstat(fd, &now) != 0 || now.st_dev != log_file.st_dev || now.st_ino != log_file.st_ino))
		atomic_store(&log_fd, open_log());
	errno = saved;
}

/* append writes a whole line at once, so that those of several threads and processes do not mix. */
static void append(int fd, const char *line)
{
	struct iovec parts[] = { { (char *)line, strlen(line) }, { "\n", 1 } };

	while (writev(fd, parts, 2) < 0 && errno == EINTR)
		;
}

/* logged_since reports whether line has been written to the log from the offset at on. */
static int logged_since(int fd, off_t at, const char *line)
{
	char part[8192];
	ssize_t n, length = (ssize_t)strlen(line);

	while ((n = pread(fd, part, sizeof part, at)) >= length) {
		if (memmem(part, (size_t)n, line, (size_t)length) != NULL)
			return 1;
		at += n - length + 1; /* the line may begin in this part and end in the next */
	}
	return 0;
}

/* The program's own callbacks. */

/* An owner is an SSL_CTX that has a callback of the program's. Owners are added and reused, but never freed, which
 * takes no lock: a lock could be held by another thread when the program forks. */
struct owner {
	void *ctx;
	_Atomic(keylog_callback *) callback;
	struct owner *next;
};

static _Atomic(struct owner *) owners[256];
static atomic_int has_owners;

static _Atomic(struct owner *) *bucket(const void *ctx)
{
	return &owners[((uintptr_t)ctx >> 4) * 2654435761u >> 8 & 255];
}

static struct owner *owner_of(const void *ctx)
{
	struct owner *o = atomic_load(bucket(ctx));

	while (o != NULL && o->ctx != ctx)
		o = o->next;
	return o;
}

/* remember keeps the program's callback for ctx, which may be NULL. It returns 0 if there is no memory for it. */
static int remember(void *ctx, keylog_callback *callback)
{
	struct owner *o = owner_of(ctx);

	if (o != NULL) {
		atomic_store(&o->callback, callback);
		return 1;
	}
	if (callback == NULL)
		return 1;
	o = malloc(sizeof *o);
	if (o == NULL)
		return 0;
	o->ctx = ctx;
	atomic_init(&o->callback, callback);
	o->next = atomic_load(bucket(ctx));
	while (!atomic_compare_exchange_weak(bucket(ctx), &o->next, o))
		;
	atomic_store(&has_owners, 1);
	return 1;
}

static keylog_callback *remembered(const void *ctx)
{
	struct owner *o = owner_of(ctx);

	return o == NULL ? NULL : atomic_load(&o->callback);
}

/* The real functions. */

struct search {
	const char *name;
	void *not_this, *found;
};

/* in_libssl looks for a function in a loaded object that is called libssl. */
static int in_libssl(struct dl_phdr_info *object, size_t size, void *data)
{
	struct search *s = data;
	const char *base = strrchr(object->dlpi_name, '/');
	void *library;

	(void)size;
	if (strncmp(base == NULL ? object->dlpi_name : base + 1, "libssl", 6) != 0)
		return 0;
	library = dlopen(object->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
	if (library != NULL)
		s->found = dlsym(library, s->name);
	if (s->found == s->not_this)
		s->found = NULL;
	return s->found != NULL;
}

/*
 * search finds the function that caller would have called without the shim: in the libraries that the caller's own
 * is linked with, as it may be loaded RTLD_LOCAL and there may be several libssl; else in the next one that everybody
 * sees; else in any libssl. The handles stay open, so that what was found stays loaded.
 */
static void *search(void *caller, const char *name, void *not_this)
{
	struct search s = { name, not_this, NULL };
	Dl_info from;
	void *library;

	if (dladdr(caller, &from) != 0 && from.dli_fname != NULL) {
		library = dlopen(from.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
		if (library != NULL)
			s.found = dlsym(library, name);
	}
	if (s.found == NULL || s.found == not_this)
		s.found = dlsym(RTLD_NEXT, name);
	if (s.found == NULL || s.found == not_this) {
		s.found = NULL;
		dl_iterate_phdr(in_libssl, &s);
	}
	return s.found;
}

/* An answer is what was found for a caller. Answers are never freed, and take no lock, like owners. */
struct answer {
	void *caller, *function;
	struct answer *next;
};

static void *real(_Atomic(struct answer *) *known, void *caller, const char *name, void *not_this)
{
	struct answer *a;
	void *function;

	for (a = atomic_load(known); a != NULL; a = a->next)
		if (a->caller == caller)
			return a->function;
	function = search(caller, name, not_this);
	a = function == NULL ? NULL : malloc(sizeof *a);
	if (a != NULL) {
		a->caller = caller;
		a->function = function;
		a->next = atomic_load(known);
		while (!atomic_compare_exchange_weak(known, &a->next, a))
			;
	}
	return function;
}

/* REAL is the real function of that name and type for a caller, or NULL. own is the one interposed here, or NULL. */
#define REAL(type, name, own, caller)                                          \
	({                                                                     \
		static _Atomic(struct answer *) known;                         \
		(type)real(&known, caller, name, own);                         \
	})
#define CALLER __builtin_return_address(0)
#define EXPORTED __attribute__((visibility("default")))

typedef void *new_function(const void *);
typedef void *new_ex_function(void *, const char *, const void *);
typedef void set_function(void *, keylog_callback *);
typedef keylog_callback *get_function(const void *);

EXPORTED void *SSL_CTX_new(const void *method);
EXPORTED void *SSL_CTX_new_ex(void *libctx, const char *propq, const void *method);
EXPORTED void *SSL_new(void *ctx);
EXPORTED void SSL_CTX_set_keylog_callback(void *ctx, keylog_callback *callback);
EXPORTED keylog_callback *SSL_CTX_get_keylog_callback(const void *ctx);

static set_function *real_set(void *caller)
{
	return REAL(set_function *, "SSL_CTX_set_keylog_callback", SSL_CTX_set_keylog_callback, caller);
}

static get_function *real_get(void *caller)
{
	return REAL(get_function *, "SSL_CTX_get_keylog_callback", SSL_CTX_get_keylog_callback, caller);
}

/* log_line is the callback of every SSL_CTX. */
static void log_line(const void *ssl, const char *line)
{
	int saved = errno, fd = atomic_load(&log_fd);
	struct stat before;
	keylog_callback *own = NULL;
	get_function *ctx_of;

	if (atomic_load(&has_owners)) {
		ctx_of = REAL(get_function *, "SSL_get_SSL_CTX", NULL, CALLER);
		if (ctx_of != NULL)
			own = remembered((const void *)ctx_of(ssl));
	}
	if (own == NULL) {
		append(fd, line);
	} else {
		int known = fstat(fd, &before) == 0;

		errno = saved;
		own(ssl, line);
		saved = errno;
		if (!known || !logged_since(fd, before.st_size, line)) /* or else it writes to the same log */
			append(fd, line);
	}
	errno = saved;
}

/* watch makes log_line the callback of ctx. */
static void watch(void *ctx, void *caller)
{
	set_function *set;
	get_function *get;
	keylog_callback *current;

	if (ctx == NULL || atomic_load(&log_fd) < 0)
		return;
	set = real_set(caller);
	get = real_get(caller);
	if (set == NULL || get == NULL)
		return; /* OpenSSL before 1.1.1 */
	current = get(ctx);
	if (current != log_line && remember(ctx, current))
		set(ctx, log_line);
}

/* The interposed functions. */

void *SSL_CTX_new(const void *method)
{
	new_function *make = REAL(new_function *, "SSL_CTX_new", SSL_CTX_new, CALLER);
	void *ctx = make == NULL ? NULL : make(method);

	watch(ctx, CALLER);
	return ctx;
}

void *SSL_CTX_new_ex(void *libctx, const char *propq, const void *method)
{
	new_ex_function *make = REAL(new_ex_function *, "SSL_CTX_new_ex", SSL_CTX_new_ex, CALLER);
	void *ctx = make == NULL ? NULL : make(libctx, propq, method);

	watch(ctx, CALLER);
	return ctx;
}

/* SSL_new watches an SSL_CTX that was made out of sight. */
void *SSL_new(void *ctx)
{
	new_function *make = REAL(new_function *, "SSL_new", SSL_new, CALLER);

	check_log();
	watch(ctx, CALLER);
	return make == NULL ? NULL : make(ctx);
}

void SSL_CTX_set_keylog_callback(void *ctx, keylog_callback *callback)
{
	set_function *set = real_set(CALLER);

	if (set == NULL)
		return;
	if (atomic_load(&log_fd) >= 0 && remember(ctx, callback))
		callback = log_line;
	set(ctx, callback);
}

keylog_callback *SSL_CTX_get_keylog_callback(const void *ctx)
{
	get_function *get = real_get(CALLER);
	keylog_callback *current = get == NULL ? NULL : get(ctx);

	return current == log_line ? remembered(ctx) : current;
}
