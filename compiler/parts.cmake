# The compiler: one library of all its folders; of the runtime it uses base, and the tables of
# flow/abi.h where it builds them (link/).
# lemon goes first (its header defines the tokens), then re2c; both write to build/gen only.
set(PARSE_GEN ${GEN}/parse)
file(MAKE_DIRECTORY ${PARSE_GEN})
add_custom_command(
  OUTPUT ${PARSE_GEN}/grammar.c ${PARSE_GEN}/grammar.h
  COMMAND lemon -q -d${PARSE_GEN} ${CMAKE_SOURCE_DIR}/compiler/parse/grammar.y
  DEPENDS ${CMAKE_SOURCE_DIR}/compiler/parse/grammar.y VERBATIM)
add_custom_command(
  OUTPUT ${PARSE_GEN}/lexer.c
  COMMAND re2c -W -Werror -i --no-generation-date --no-version -o ${PARSE_GEN}/lexer.c
          ${CMAKE_SOURCE_DIR}/compiler/lex/lexer.re
  DEPENDS ${CMAKE_SOURCE_DIR}/compiler/lex/lexer.re ${PARSE_GEN}/grammar.h VERBATIM)

tutti_library(tutti_compiler FOLDERS compiler compiler/diag compiler/lex compiler/ast compiler/parse
    compiler/type compiler/ir compiler/pass compiler/layout compiler/link compiler/emit_c
    compiler/fmt compiler/words compiler/lsp compiler/library compiler/infer
    compiler/report compiler/graph
    DEPENDS base ${LIB_SODIUM})
target_sources(tutti_compiler PRIVATE ${PARSE_GEN}/grammar.c ${PARSE_GEN}/grammar.h
    ${PARSE_GEN}/lexer.c)
set_source_files_properties(${PARSE_GEN}/grammar.c ${PARSE_GEN}/lexer.c
    PROPERTIES COMPILE_OPTIONS "${GENERATED_WARNINGS}")
# The interpreter runs in this process, on the runtime's data plane; its kernels are worth -O3.
tutti_library(interp FOLDERS compiler/interp DEPENDS tutti_compiler flow)
if(NOT TUTTI_SANITIZE)
  target_compile_options(interp PRIVATE -O3)
endif()
tutti_library(package FOLDERS compiler/package DEPENDS base ${LIB_SODIUM})

# The command. Its rows may use the runtime's upper layers; the library above may not.
file(GLOB driver_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/compiler/driver/*.c)
add_executable(tutti ${driver_sources})
target_compile_options(tutti PRIVATE ${STRICT_WARNINGS})
target_compile_definitions(tutti PRIVATE TUTTI_VERSION="0.1.0")
target_link_libraries(tutti PRIVATE interp tutti_compiler package modules)
# The standard library is carried as text.
file(GLOB stdlib_texts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stdlib/*.tutti)
set_source_files_properties(${CMAKE_SOURCE_DIR}/compiler/library/library.c PROPERTIES
    OBJECT_DEPENDS "${stdlib_texts}" COMPILE_DEFINITIONS "STDLIB_DIR=\"${CMAKE_SOURCE_DIR}/stdlib\"")
# Generated code starts with the texts of these two headers.
set_source_files_properties(${CMAKE_SOURCE_DIR}/compiler/emit_c/emit.c PROPERTIES
    OBJECT_DEPENDS "${CMAKE_SOURCE_DIR}/runtime/flow/abi.h;${CMAKE_SOURCE_DIR}/runtime/flow/hot.h"
    COMPILE_DEFINITIONS "EMIT_ABI_FILE=\"${CMAKE_SOURCE_DIR}/runtime/flow/abi.h\";EMIT_HOT_FILE=\"${CMAKE_SOURCE_DIR}/runtime/flow/hot.h\"")
