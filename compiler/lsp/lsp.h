/* compiler/lsp/lsp.h: the language server: LSP 3.17 over two file descriptors.
 *
 * One thread, one message after the other; a text is checked again only when somebody asks or the
 * client has nothing more to say. Nothing a client sends is trusted: every message, document and
 * list has a maximum, and a message that makes no sense is answered with an error. */
#ifndef TUTTI_COMPILER_LSP_LSP_H
#define TUTTI_COMPILER_LSP_LSP_H

/* Until `exit` or the end of the input; the process's exit code: 0 after `shutdown`, else 1. */
int lsp_serve(int in, int out);

#endif
