# The compiler: one library of all its folders; it uses runtime/base and nothing else of the runtime.
tutti_library(tutti_compiler FOLDERS compiler/diag compiler/lex compiler/ast compiler/parse
    compiler/type compiler/ir compiler/pass compiler/emit_c compiler/fmt
    DEPENDS base)
tutti_library(package FOLDERS compiler/package DEPENDS base ${LIB_SODIUM})
