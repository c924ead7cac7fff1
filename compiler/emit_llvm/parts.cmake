# tutti-jit.so, beside `tutti`. It has its own copies (position independent, hidden) of the few parts
# of base and compiler that it uses, so that neither exports symbols to the other.
execute_process(COMMAND ${LLVM_CONFIG} --includedir OUTPUT_VARIABLE LLVM_INCLUDE
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${LLVM_CONFIG} --libdir OUTPUT_VARIABLE LLVM_LIB
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

# LLVM's parts that are used, linked in and hidden: opening 43 MB with relative relocations takes a
# fifth of the time of opening the whole libLLVM, and a third of the memory. Without the archives,
# and in builds for tests where linking should be quick, the shared library.
option(TUTTI_JIT_STATIC "link LLVM into tutti-jit.so" ON)
set(jit_llvm)
if(TUTTI_JIT_STATIC AND NOT TUTTI_SANITIZE AND NOT TUTTI_FUZZ)
  execute_process(COMMAND ${LLVM_CONFIG} --link-static --libfiles passes nativecodegen bitreader orcjit
      OUTPUT_VARIABLE jit_llvm OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  separate_arguments(jit_llvm)
  find_library(LIB_Z z)
  find_library(LIB_TINFO tinfo)
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libstdc++.a
      OUTPUT_VARIABLE LIB_STDCXX OUTPUT_STRIP_TRAILING_WHITESPACE)
  foreach(file ${jit_llvm} ${LIB_Z} ${LIB_TINFO} ${LIB_STDCXX})
    if(NOT EXISTS ${file} OR NOT IS_ABSOLUTE ${file})
      set(jit_llvm)
      break()
    endif()
  endforeach()
endif()

# What every module starts with. The flags that decide meaning are those of emit_c/cc.c.
set(JIT_OPS ${GEN}/jit_ops.bc)
set(JIT_OPS_SOURCE ${CMAKE_SOURCE_DIR}/compiler/emit_llvm/bitcode/ops.c)
add_custom_command(OUTPUT ${JIT_OPS}
    COMMAND ${CLANG_14} -O2 -std=gnu17 -ffp-contract=off -fno-strict-aliasing -fPIC
            -fno-asynchronous-unwind-tables -fno-stack-protector -Wall -Wextra -Wshadow -Werror
            -I${CMAKE_SOURCE_DIR}/runtime -I${CMAKE_SOURCE_DIR} -emit-llvm -c ${JIT_OPS_SOURCE} -o ${JIT_OPS}
    DEPENDS ${JIT_OPS_SOURCE} ${CMAKE_SOURCE_DIR}/compiler/emit_llvm/bitcode/rows.c
            ${CMAKE_SOURCE_DIR}/compiler/emit_llvm/native.h
            ${CMAKE_SOURCE_DIR}/compiler/emit_llvm/loop.h
            ${CMAKE_SOURCE_DIR}/runtime/flow/abi_data.h
            ${CMAKE_SOURCE_DIR}/runtime/flow/abi.h
            ${CMAKE_SOURCE_DIR}/runtime/flow/hot.h VERBATIM)

file(GLOB jit_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/compiler/emit_llvm/*.c
    ${CMAKE_SOURCE_DIR}/compiler/layout/*.c)
list(REMOVE_ITEM jit_sources ${CMAKE_SOURCE_DIR}/compiler/emit_llvm/object.c
    ${CMAKE_SOURCE_DIR}/compiler/emit_llvm/native.c) # they stay with the host
add_library(tutti_jit MODULE ${jit_sources} ${JIT_OPS}
    compiler/ir/ir.c compiler/ir/facts.c runtime/base/arena.c runtime/base/buf.c
    runtime/base/mem.c runtime/base/status.c runtime/base/str.c)
set_target_properties(tutti_jit PROPERTIES PREFIX "" OUTPUT_NAME tutti-jit
    C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
target_include_directories(tutti_jit PRIVATE ${CMAKE_SOURCE_DIR}/runtime ${CMAKE_SOURCE_DIR} ${GEN})
target_include_directories(tutti_jit SYSTEM PRIVATE ${LLVM_INCLUDE})
target_compile_options(tutti_jit PRIVATE ${STRICT_WARNINGS})
target_compile_definitions(tutti_jit PRIVATE JIT_BUILD="${JIT_BUILD}")
if(jit_llvm)
  target_link_libraries(tutti_jit PRIVATE -Wl,--start-group ${jit_llvm} -Wl,--end-group
      ${LIB_STDCXX} ${LIB_Z} ${LIB_TINFO} Threads::Threads m)
  target_link_options(tutti_jit PRIVATE -static-libgcc -Wl,--exclude-libs,ALL -Wl,-Bsymbolic
      -Wl,--gc-sections)
else()
  find_library(LIB_LLVM LLVM-14 PATHS ${LLVM_LIB} NO_DEFAULT_PATH REQUIRED)
  target_link_libraries(tutti_jit PRIVATE ${LIB_LLVM} Threads::Threads m)
endif()
set_source_files_properties(${CMAKE_SOURCE_DIR}/compiler/emit_llvm/jit.c PROPERTIES
    OBJECT_DEPENDS ${JIT_OPS} COMPILE_DEFINITIONS JIT_OPS_FILE="${JIT_OPS}")
set(JIT_FOUND ON)
