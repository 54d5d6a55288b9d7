#ifndef LB_FILES_H
#define LB_FILES_H
#include <stddef.h>
#include <sys/stat.h>

/* `path` below the root of the options. */
void file_path(char *out, size_t room, const char *path);
/* Makes the file hold this text and have this mode. Missing folders are made. Returns 0 or -1. */
int file_replace(const char *path, const char *text, size_t length, mode_t mode);
/* Does nothing when the link is there. */
int file_link(const char *path, const char *target);
#endif
