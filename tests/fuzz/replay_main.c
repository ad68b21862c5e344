/* SPDX-License-Identifier: MIT */
/*
 * replay_main.c - run a fuzz target over stored inputs, without libFuzzer
 *
 * Arguments are files, or directories whose files are all run.  Each input is copied into a buffer
 * of exactly its size, so that a sanitizer sees a read past its end.  The program fails if there
 * was no input at all: a corpus that has gone missing must not look like success.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path);

static uint8_t *file_read(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);

	if (!file || !data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "replay: cannot read %s: %s\n", path, strerror(errno));
		exit(1);
	}
	fclose(file);
	return data;
}

static int replay_file(const char *path, size_t size)
{
	uint8_t *data = file_read(path, size);

	/* Named before it runs: if it crashes, this is the last line. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_directory(const char *path)
{
	struct dirent **entries = NULL;
	int nr_entries = scandir(path, &entries, is_input, alphasort);
	int nr_inputs = 0;

	for (int i = 0; i < nr_entries; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		nr_inputs += replay(name);
		free(entries[i]);
	}
	free(entries);
	return nr_inputs;
}

static int replay(const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		fprintf(stderr, "replay: cannot open %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return S_ISDIR(st.st_mode) ? replay_directory(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	int nr_inputs = 0;

	for (int i = 1; i < argc; i++)
		nr_inputs += replay(argv[i]);
	printf("%d inputs\n", nr_inputs);
	return nr_inputs > 0 ? 0 : 1;
}
