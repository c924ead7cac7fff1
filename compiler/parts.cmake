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
    compiler/type compiler/ir compiler/pass compiler/layout compiler/link compiler/elf compiler/emit_c
    compiler/fmt compiler/words compiler/lsp compiler/library compiler/infer
    compiler/report compiler/graph compiler/proto
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

# What runs the objects of the JIT, which needs no LLVM: they may be kept ones.
add_library(jit_code STATIC compiler/emit_llvm/object.c compiler/emit_llvm/native.c)
target_compile_options(jit_code PRIVATE ${STRICT_WARNINGS})
target_link_libraries(jit_code PUBLIC tutti_compiler flow)
set_property(GLOBAL APPEND PROPERTY TUTTI_LIBRARIES jit_code)

# The command. Its rows may use the runtime's upper layers; the library above may not.
file(GLOB driver_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/compiler/driver/*.c)
add_executable(tutti ${driver_sources})
target_compile_options(tutti PRIVATE ${STRICT_WARNINGS})
target_compile_definitions(tutti PRIVATE TUTTI_VERSION="0.1.0")
target_link_libraries(tutti PRIVATE interp jit_code tutti_compiler package modules)
# The standard library is carried as text.
file(GLOB stdlib_texts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stdlib/*.tutti)
set_source_files_properties(${CMAKE_SOURCE_DIR}/compiler/library/library.c PROPERTIES
    OBJECT_DEPENDS "${stdlib_texts}" COMPILE_DEFINITIONS "STDLIB_DIR=\"${CMAKE_SOURCE_DIR}/stdlib\"")
# Generated code starts with the texts of these two headers.
set_source_files_properties(${CMAKE_SOURCE_DIR}/compiler/emit_c/emit.c PROPERTIES
    OBJECT_DEPENDS "${CMAKE_SOURCE_DIR}/runtime/flow/abi_data.h;${CMAKE_SOURCE_DIR}/runtime/flow/abi.h;${CMAKE_SOURCE_DIR}/runtime/flow/hot.h"
    COMPILE_DEFINITIONS "EMIT_DATA_FILE=\"${CMAKE_SOURCE_DIR}/runtime/flow/abi_data.h\";EMIT_ABI_FILE=\"${CMAKE_SOURCE_DIR}/runtime/flow/abi.h\";EMIT_HOT_FILE=\"${CMAKE_SOURCE_DIR}/runtime/flow/hot.h\"")

# The JIT: a plug-in that alone links LLVM. Without llvm-14-dev and clang-14 only it is missing.
# Host and plug-in share structures without a version: both carry the hash of what defines them, and
# of what makes an object: that names the kept ones.
set(jit_contract)
file(GLOB jit_makers RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS compiler/emit_llvm/*.[ch]
    compiler/emit_llvm/bitcode/*.c compiler/layout/*.[ch])
foreach(file ${jit_makers} compiler/link/link.h compiler/ir/ir.h compiler/ir/ops.def
        runtime/flow/abi_data.h runtime/flow/abi.h runtime/flow/hot.h runtime/base/status.h runtime/base/errors.def
        runtime/base/str.h runtime/base/buf.h)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
  file(SHA256 ${CMAKE_SOURCE_DIR}/${file} hash)
  string(APPEND jit_contract ${hash})
endforeach()
string(SHA256 JIT_BUILD "${jit_contract}")
set_source_files_properties(${CMAKE_SOURCE_DIR}/compiler/driver/jit_load.c PROPERTIES
    COMPILE_DEFINITIONS JIT_BUILD="${JIT_BUILD}")
option(TUTTI_JIT "build tutti-jit.so when LLVM 14 and clang 14 are there" ON)
if(TUTTI_JIT)
  find_program(LLVM_CONFIG llvm-config-14)
  find_program(CLANG_14 clang-14)
  if(LLVM_CONFIG AND CLANG_14)
    include(compiler/emit_llvm/parts.cmake)
  else()
    message(STATUS "no JIT: it needs llvm-14-dev and clang-14")
  endif()
endif()
