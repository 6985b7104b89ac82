/*
 * Has a JVM connect to lab, which then reads the TLS keys of its programs as a debugger: it adds lab's options to
 * $JAVA_TOOL_OPTIONS, but only where a JVM can start with them. A JVM exits at once if nobody listens, if it has a
 * debugger of its own, or if its image has no debugger's library. So lab is asked first.
 *
 * The environment stays as it is: a JVM calls getenv, and is given another value.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

extern char **environ;

typedef char *getenv_function(const char *);

static _Atomic(getenv_function *) next_getenv;

/* A call of dlsym in getenv could end in getenv again. */
__attribute__((constructor)) static void find_getenv(void)
{
	atomic_store(&next_getenv, (getenv_function *)dlsym(RTLD_NEXT, "getenv"));
}

static char *variable(const char *name)
{
	getenv_function *next = atomic_load(&next_getenv);
	size_t length = strlen(name);
	char **v;

	if (next != NULL)
		return next(name);
	for (v = environ; v != NULL && *v != NULL; v++)
		if (strncmp(*v, name, length) == 0 && (*v)[length] == '=')
			return *v + length + 1;
	return NULL;
}

/* content returns what a file has, up to 1 MB, with a NUL behind it, or NULL. */
static char *content(const char *path, size_t *length)
{
	enum { most = 1 << 20 };
	char *text = malloc(most + 1);
	int fd = text == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	*length = 0;
	if (fd < 0) {
		free(text);
		return NULL;
	}
	while (*length < most && (n = read(fd, text + *length, most - *length)) != 0)
		if (n > 0)
			*length += (size_t)n;
		else if (errno != EINTR)
			break;
	close(fd);
	text[*length] = 0;
	return text;
}

static int starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* has_debugger reports whether options have an agent of JDWP, by themselves or in a file that they name. */
static int has_debugger(const char *options, int depth)
{
	char path[PATH_MAX];
	const char *word;

	if (options == NULL)
		return 0;
	if (strstr(options, "jdwp") != NULL)
		return 1;
	for (word = options; *word != 0 && depth < 3; word += strcspn(word, " \t\r\n"), word += strspn(word, " \t\r\n")) {
		static const char file_option[] = "-XX:VMOptionsFile=";
		const char *name = *word == '@' ? word + 1 : starts(word, file_option) ? word + strlen(file_option) : NULL;
		size_t length = name == NULL ? 0 : strcspn(name, " \t\r\n");
		char *file;
		int found;

		if (length == 0 || length >= sizeof path)
			continue;
		memcpy(path, name, length);
		path[length] = 0;
		file = content(path, &length);
		found = file != NULL && has_debugger(file, depth + 1);
		free(file);
		if (found)
			return 1;
	}
	return 0;
}

enum decision { START, OWN, NONE, EMBEDDED, QUIET };

/*
 * by_arguments looks at how this process was started. A JVM that only says its version is left alone: scripts read the
 * first line of that. So is one that makes an archive of classes, which a debugger would change.
 */
static enum decision by_arguments(void)
{
	static const char *const versions[] = { "-version", "--version", "-fullversion", "--full-version", "-help", "--help", "-h", "-?", "-X" };
	static const char *const archives[] = { "-Xshare:dump", "-XX:ArchiveClassesAtExit", "-XX:AOTMode=", "-XX:AOTCacheOutput",
		"-XX:CRaCCheckpointTo", "-XX:CRaCRestoreFrom" };
	size_t length, i, count = 0;
	char *line = content("/proc/self/cmdline", &length), *argument, *last = NULL;
	int options_only = 1;
	enum decision d = START;

	if (line == NULL)
		return QUIET;
	for (argument = line; argument < line + length && d == START; argument += strlen(argument) + 1, count++) {
		if (count == 0)
			continue;
		if (last != NULL && *last != '-')
			options_only = 0;
		last = argument;
		if (has_debugger(argument, 0))
			d = OWN;
		for (i = 0; i < sizeof archives / sizeof *archives; i++)
			if (starts(argument, archives[i]))
				d = QUIET;
	}
	for (i = 0; last != NULL && options_only && i < sizeof versions / sizeof *versions; i++)
		if (strcmp(last, versions[i]) == 0)
			d = QUIET;
	free(line);
	return d;
}

/* up cuts the last n names off a path. */
static void up(char *path, int n)
{
	char *slash;

	while (n-- > 0 && (slash = strrchr(path, '/')) != NULL)
		*slash = 0;
}

/*
 * by_image looks at the files of the JVM in the library jvm. A program of its image has its arguments on the command
 * line; what another program hands to a JVM in itself, as an office suite does, cannot be seen.
 */
static enum decision by_image(const char *jvm)
{
	static const char *const libraries[] = { "libjdwp.so", "libdt_socket.so" };
	char lib[PATH_MAX], program[PATH_MAX], library[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	size_t i;

	if (n < 0 || realpath(jvm, lib) == NULL)
		return QUIET;
	program[n] = 0;
	up(program, 2); /* bin/java */
	up(lib, 2);     /* server/libjvm.so */
	for (i = 0; i < sizeof libraries / sizeof *libraries; i++) {
		snprintf(library, sizeof library, "%s/%s", lib, libraries[i]);
		if (access(library, R_OK) != 0)
			return NONE;
	}
	if (!starts(lib, program) || lib[strlen(program)] != '/')
		return EMBEDDED;
	return START;
}

/*
 * ask tells lab what was decided. It returns its answer, 'y' or 'n', or 0 if lab is not there. Only lab knows the token:
 * if lab was killed, somebody else may listen at its port, and a debugger can have a JVM do anything.
 */
static char ask(const char *options, enum decision d)
{
	static const char *const words[] = { "start", "own", "none", "embedded" };
	static const char before_port[] = "address=127.0.0.1:";
	const char *port = strstr(options, before_port), *token = variable("LAB_JAVA_RUN");
	struct sockaddr_in lab = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 10 };
	char line[32], answer[128]; /* JDWP-Handshake, the token, y or n */
	size_t got = 0, before = strlen("JDWP-Handshake"), length = token == NULL ? 0 : strlen(token), whole = before + length + 1;
	ssize_t n;
	int fd;

	if (port == NULL || length == 0 || whole > sizeof answer)
		return 0;
	lab.sin_port = htons((unsigned short)atoi(port + strlen(before_port)));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	n = snprintf(line, sizeof line, "LAB JVM %s\n", words[d]);
	if (connect(fd, (struct sockaddr *)&lab, sizeof lab) == 0 && send(fd, line, (size_t)n, MSG_NOSIGNAL) == n)
		while (got < whole && ((n = recv(fd, answer + got, whole - got, 0)) > 0 || (n < 0 && errno == EINTR)))
			got += n > 0 ? (size_t)n : 0;
	close(fd);
	return got == whole && memcmp(answer + before, token, length) == 0 ? answer[whole - 1] : 0;
}

/*
 * options_of returns what a JVM is to have as JAVA_TOOL_OPTIONS: its own, then lab's. The first of lab's makes it
 * connect; those behind it hold for any JVM while lab is there.
 */
static char *options_of(char *own, const char *labs, const char *jvm)
{
	enum decision d = by_image(jvm);
	const char *given = labs;
	char answer, *all;

	if (d == START)
		d = by_arguments();
	if (d == START && (has_debugger(own, 0) || has_debugger(variable("JDK_JAVA_OPTIONS"), 0) || has_debugger(variable("_JAVA_OPTIONS"), 0)))
		d = OWN;
	if (d == QUIET)
		return own;
	answer = ask(labs, d);
	if (answer == 0)
		return own;
	if (answer != 'y') {
		given = strchr(labs, ' ');
		if (given == NULL)
			return own;
	}
	if (asprintf(&all, "%s%s%s", own == NULL ? "" : own, own == NULL ? "" : " ", given) < 0)
		return own;
	return all;
}

/* getenv is libc's, but for a JVM that asks for its options. */
EXPORTED char *getenv(const char *name)
{
	static _Atomic(char *) decided; /* by the first call: a JVM is created once in a process */
	char *value = variable(name), *labs;
	Dl_info from;
	const char *base;
	int saved = errno;

	if (name[0] != 'J' || strcmp(name, "JAVA_TOOL_OPTIONS") != 0)
		return value;
	labs = variable("LAB_JAVA_TOOL_OPTIONS");
	if (labs != NULL && dladdr(__builtin_return_address(0), &from) != 0 && from.dli_fname != NULL) {
		base = strrchr(from.dli_fname, '/');
		if (base != NULL && strcmp(base, "/libjvm.so") == 0) {
			if (atomic_load(&decided) == NULL)
				atomic_store(&decided, options_of(value, labs, from.dli_fname));
			value = atomic_load(&decided);
		}
	}
	errno = saved;
	return value;
}
