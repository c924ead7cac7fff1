/* compiler/driver/artifact_main.h: runs the programs this executable carries, if it carries any. */
#ifndef TUTTI_COMPILER_DRIVER_ARTIFACT_MAIN_H
#define TUTTI_COMPILER_DRIVER_ARTIFACT_MAIN_H

#include <stdbool.h>

/* False: nothing is appended, this is the plain `tutti`. True: it ran; *ret_exit is the code. */
bool artifact_main(int argc, char **argv, int *ret_exit);

#endif
