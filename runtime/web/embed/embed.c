/* runtime/web/embed/embed.c: finds a page in the generated table. */
#include "web/embed/embed.h"

const WebFile *web_find(Str path)
{
    uint32_t low = 0, high = web_file_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(path, str_from(web_files[middle].path));
        if (order == 0) return &web_files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
