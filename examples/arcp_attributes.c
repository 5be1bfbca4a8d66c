/* SPDX-License-Identifier: MIT */
/*
 * arcp_attributes: owner, extended attributes, mode and times, in this order: a change of owner
 * takes set-user-ID bits and file capabilities away, an access ACL changes the mode, and everything
 * changes the times. ACLs are extended attributes of the system's and copied as such.
 */
#include "arcp.h"

#include "report.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS_ACL  "system.posix_acl_access"
#define DEFAULT_ACL "system.posix_acl_default"

/* What Linux lets a name list and a value be at most (xattr(7)). */
static char names[65536];
static char value[65536];

static ssize_t list_names(struct place place)
{
	return place.fd >= 0 ? flistxattr(place.fd, names, sizeof(names))
			     : llistxattr(place.path, names, sizeof(names));
}

static ssize_t get_value(struct place place, const char *name)
{
	return place.fd >= 0 ? fgetxattr(place.fd, name, value, sizeof(value))
			     : lgetxattr(place.path, name, value, sizeof(value));
}

static int set_value(struct place place, const char *name, size_t size)
{
	return place.fd >= 0 ? fsetxattr(place.fd, name, value, size, 0)
			     : lsetxattr(place.path, name, value, size, 0);
}

static void remove_value(struct place place, const char *name)
{
	if (place.fd >= 0)
		fremovexattr(place.fd, name);
	else
		lremovexattr(place.path, name);
}

bool attributes_default_acl(const char *directory)
{
	return lgetxattr(directory, DEFAULT_ACL, NULL, 0) > 0;
}

/* True if the mode still has to be set, since an ACL came or went. */
static bool copy_xattrs(struct place source, struct place target, bool *complete)
{
	ssize_t length = list_names(source);
	bool acl = false;

	for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1) {
		const char *name = names + at;
		ssize_t size = get_value(source, name);

		if (size < 0)
			continue; /* it went in the meantime, or is not for us to read */
		if (set_value(target, name, (size_t)size) == 0) {
			acl |= strcmp(name, ACCESS_ACL) == 0;
		} else if (errno != ENOTSUP && errno != EPERM) {
			complain(-errno, "setting attributes for %s", target.path, NULL);
			*complete = false;
		}
	}
	return acl;
}

/*
 * Sets owner and group, or at least the group. False if the target stays somebody else's, in which
 * case it must not be set-user-ID. Only root can expect to succeed, so only root hears of it.
 */
static bool copy_owner(const struct stat *wanted, struct place target, bool *complete)
{
	int flags = target.fd >= 0 ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
	int fd = target.fd >= 0 ? target.fd : AT_FDCWD;
	const char *path = target.fd >= 0 ? "" : target.path;

	if (fchownat(fd, path, wanted->st_uid, wanted->st_gid, flags) == 0)
		return true;
	if ((errno != EPERM && errno != EINVAL) || options.user == 0) {
		complain(-errno, "failed to preserve ownership for %s", target.path, NULL);
		*complete = false;
	}
	(void)!fchownat(fd, path, (uid_t)-1, wanted->st_gid, flags);
	return false;
}

bool attributes_apply(const struct stat *wanted, struct place source, struct place target,
		      bool inherited_acl)
{
	struct timespec times[2] = {wanted->st_atim, wanted->st_mtim};
	mode_t mode = wanted->st_mode & 07777;
	bool complete = true, set_mode;
	struct stat found;
	int result;

	result = target.fd >= 0 ? fstat(target.fd, &found) : lstat(target.path, &found);
	if (result < 0) {
		complain(-errno, "cannot stat %s", target.path, NULL);
		return false;
	}
	set_mode = (found.st_mode & 07777) != mode;
	if (found.st_uid != wanted->st_uid || found.st_gid != wanted->st_gid) {
		set_mode = true;
		if (!copy_owner(wanted, target, &complete))
			mode &= ~(mode_t)(S_ISUID | S_ISGID);
	}
	if (inherited_acl) {
		remove_value(target, ACCESS_ACL);
		if (S_ISDIR(wanted->st_mode))
			remove_value(target, DEFAULT_ACL);
		set_mode = true;
	}
	set_mode |= copy_xattrs(source, target, &complete);
	if (set_mode && !S_ISLNK(wanted->st_mode)) {
		result = target.fd >= 0 ? fchmod(target.fd, mode) : chmod(target.path, mode);
		if (result < 0) {
			complain(-errno, "preserving permissions for %s", target.path, NULL);
			complete = false;
		}
	}
	result = target.fd >= 0 ? futimens(target.fd, times)
				: utimensat(AT_FDCWD, target.path, times, AT_SYMLINK_NOFOLLOW);
	if (result < 0) {
		complain(-errno, "preserving times for %s", target.path, NULL);
		complete = false;
	}
	return complete;
}
