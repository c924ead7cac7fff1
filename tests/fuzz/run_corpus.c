/* tests/fuzz/run_corpus.c: a main for fuzz targets when libFuzzer is not there.
 *
 * Feeds every file of the corpus folder named at compile time (and every prefix of it, up to 256
 * bytes, so that cut-off input is always tried) to the target. A crash is the failure. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in) return 1;
    static unsigned char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, in);
    (void)fclose(in);
    for (size_t cut = 0; cut <= size && cut <= 256; cut++) {
        unsigned char *exact = malloc(cut ? cut : 1); /* so that a read past the end is seen */
        if (!exact) return 1;
        memcpy(exact, bytes, cut);
        (void)LLVMFuzzerTestOneInput(exact, cut);
        free(exact);
    }
    (void)LLVMFuzzerTestOneInput(bytes, size);
    return 0;
}

int main(void)
{
    int passed = 0, failed = 0;
    DIR *dir = opendir(CORPUS);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[1024];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", CORPUS, entry->d_name);
        if (run_file(path))
            failed++;
        else
            passed++;
    }
    if (dir) (void)closedir(dir);
    if (passed == 0) failed++; /* a target without corpus proves nothing */
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
