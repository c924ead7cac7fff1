# Tests. The house checker and the simulated plant are always built; the rest needs TUTTI_TESTS.
# The house checker: `make check` and the suite "check" feed it the list of files.
add_executable(house_check tests/check/check.c tests/check/rules.c)
target_compile_options(house_check PRIVATE ${STRICT_WARNINGS})
# Many changes of one program; with the release flags, so that memory can be looked at.
if(TARGET tutti_jit)
  add_executable(jit_swaps tests/jit/swaps.c)
  target_compile_options(jit_swaps PRIVATE ${STRICT_WARNINGS})
  target_link_libraries(jit_swaps PRIVATE jit_code tutti_compiler)
endif()

# How long it takes until a program runs (make bench).
add_executable(ready tests/bench/ready.c compiler/driver/native.c compiler/driver/front.c
    compiler/driver/walk.c
    compiler/driver/external.c compiler/driver/jit_load.c compiler/driver/jit_store.c)
target_compile_options(ready PRIVATE ${STRICT_WARNINGS})
target_link_libraries(ready PRIVATE interp jit_code tutti_compiler flow)
set_target_properties(ready PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

# The history, written and asked (make bench).
add_executable(history tests/bench/history.c)
target_compile_options(history PRIVATE ${STRICT_WARNINGS})
target_link_libraries(history PRIVATE series)
set_target_properties(history PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

# How fast a broker acknowledges what it has to keep; knows nothing of ours.
add_executable(mqtt_durable tests/bench/mqtt_durable.c)
target_compile_options(mqtt_durable PRIVATE ${STRICT_WARNINGS})
set_target_properties(mqtt_durable PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

# What a broker spends on the same work (tests/bench/broker.mjs); knows nothing of ours.
add_executable(mqtt_load tests/bench/mqtt_load.c tests/bench/mqtt_peer.c)
target_compile_options(mqtt_load PRIVATE ${STRICT_WARNINGS})
set_target_properties(mqtt_load PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

# How long the broker takes to be back with what it kept.
add_executable(mqtt_start tests/bench/mqtt_start.c)
target_compile_options(mqtt_start PRIVATE ${STRICT_WARNINGS})
target_link_libraries(mqtt_start PRIVATE mqtt)
set_target_properties(mqtt_start PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

# What pipelines allocate per record (tests/suites/steady.sh).
add_executable(steady tests/steady/steady.c compiler/driver/native.c compiler/driver/front.c
    compiler/driver/walk.c
    compiler/driver/external.c compiler/driver/jit_load.c compiler/driver/jit_store.c)
target_compile_options(steady PRIVATE ${STRICT_WARNINGS})
target_link_libraries(steady PRIVATE interp jit_code tutti_compiler ask flow)
set_target_properties(steady PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

if(NOT TUTTI_TESTS)
  return()
endif()

# Every tests/<room>/test_*.c is one executable with its own main; tests/run.sh runs them all.
enable_testing()
add_library(test_main STATIC ${CMAKE_SOURCE_DIR}/tests/test_main.c)
target_include_directories(test_main PUBLIC ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/runtime)
target_link_libraries(test_main PUBLIC base cmocka)

# tutti_tests(ROOM LIB...): one executable per tests/ROOM/test_*.c, linked with the libraries.
function(tutti_tests room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${room}/test_*.c)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_compile_options(${name} PRIVATE ${STRICT_WARNINGS})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR} ${GEN})
    target_compile_definitions(${name} PRIVATE TEST_SOURCES="${CMAKE_SOURCE_DIR}")
    target_link_libraries(${name} PRIVATE test_main ${ARGN})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name})
  endforeach()
endfunction()

tutti_tests(base base)
tutti_tests(package package)
tutti_tests(loop loop)
tutti_tests(bus bus)
tutti_tests(store store)
tutti_tests(series series)
tutti_tests(alarm alarm)
tutti_tests(sparkplug sparkplug)
tutti_tests(module modules)
tutti_tests(http http)
tutti_tests(mqtt mqtt)
tutti_tests(connect modules)
# Helper programs of test suites land in build/tests-tools.
foreach(side broker client)
  add_executable(mqtt_${side} ${CMAKE_SOURCE_DIR}/tests/mqtt/${side}_main.c)
  target_compile_options(mqtt_${side} PRIVATE ${STRICT_WARNINGS})
  target_link_libraries(mqtt_${side} PRIVATE mqtt)
  set_target_properties(mqtt_${side} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)
endforeach()

# The HTTP server alone, for curl, Node and conformance tools.
add_executable(http_peer tests/http/peer.c)
target_compile_options(http_peer PRIVATE ${STRICT_WARNINGS})
target_link_libraries(http_peer PRIVATE http)

if(TARGET test_connectors AND TARGET plant_meter)
  add_dependencies(test_connectors plant_meter)
endif()

# A program compiled with the shapes of a sample, linked into what compares its ways of reading.
add_executable(emit_program tests/layout/emit_program.c)
target_compile_options(emit_program PRIVATE ${STRICT_WARNINGS})
target_link_libraries(emit_program PRIVATE tutti_compiler)
if(TUTTI_FUZZ)
  target_link_options(emit_program PRIVATE -fsanitize=fuzzer-no-link)
endif()
set(LEARNT ${CMAKE_SOURCE_DIR}/tests/layout/learnt)
add_custom_command(
  OUTPUT ${GEN}/learnt.c
  COMMAND emit_program ${LEARNT}.tutti ${LEARNT}.ndjson ${GEN}/learnt.c
  DEPENDS emit_program ${LEARNT}.tutti ${LEARNT}.ndjson VERBATIM)
add_library(learnt_program STATIC ${GEN}/learnt.c)
target_compile_options(learnt_program PRIVATE -std=gnu17 -w)

# Fuzz targets: with TUTTI_FUZZ each is a libFuzzer program; else it runs its corpus as a test.
function(tutti_fuzz_targets)
  get_property(libraries GLOBAL PROPERTY TUTTI_LIBRARIES)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE "fuzz_" "" subject ${name})
    if(TUTTI_FUZZ)
      add_executable(${name} ${source})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
      set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    else()
      set(name test_${name})
      add_executable(${name} ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz/run_corpus.c)
      target_compile_definitions(${name} PRIVATE
          CORPUS="${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${subject}")
      set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    endif()
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/runtime ${GEN})
    target_link_libraries(${name} PRIVATE ${libraries})
    if(subject STREQUAL learnt)
      target_link_libraries(${name} PRIVATE learnt_program)
    endif()
  endforeach()
endfunction()
tutti_fuzz_targets()
tutti_tests(layout flow learnt_program)
tutti_tests(type tutti_compiler)
tutti_tests(lang tutti_compiler)
tutti_tests(engine modules)
add_executable(lite_peer tests/e2e/lite_peer.c)
target_compile_options(lite_peer PRIVATE ${STRICT_WARNINGS})
target_link_libraries(lite_peer PRIVATE modules)

# Damaged programs through the whole compiler (tests/suites/lang_mutate.sh).
add_executable(mutate_programs tests/fuzz/mutate_programs.c)
target_compile_options(mutate_programs PRIVATE ${STRICT_WARNINGS})
target_link_libraries(mutate_programs PRIVATE tutti_compiler)
set_target_properties(mutate_programs PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)
# One damaged token: is the blame beside it (tests/suites/lang_blame.sh)?
add_executable(damage_tokens tests/fuzz/damage_tokens.c)
target_compile_options(damage_tokens PRIVATE ${STRICT_WARNINGS})
target_include_directories(damage_tokens PRIVATE ${GEN})
target_link_libraries(damage_tokens PRIVATE tutti_compiler)
set_target_properties(damage_tokens PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)
tutti_tests(emit tutti_compiler flow)
tutti_tests(link tutti_compiler flow)
tutti_tests(flow flow)
tutti_tests(state interp tutti_compiler flow)
add_executable(json_filter tests/flow/json_filter.c)
target_compile_options(json_filter PRIVATE ${STRICT_WARNINGS})
target_link_libraries(json_filter PRIVATE flow)
set_target_properties(json_filter PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

# A disk with faults (tests/e2e/faults.mjs).
add_library(fault_io MODULE tests/e2e/fault_io.c)
target_compile_options(fault_io PRIVATE -Wall -Wextra -Werror -fPIC -fno-sanitize=all)
target_link_options(fault_io PRIVATE -fno-sanitize=all)
target_link_libraries(fault_io PRIVATE dl)
set_target_properties(fault_io PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)

# One program on every engine (tests/suites/engines.sh, tests/gen).
add_executable(compare tests/gen/compare.c compiler/driver/native.c compiler/driver/front.c
    compiler/driver/walk.c
    compiler/driver/external.c compiler/driver/jit_load.c compiler/driver/jit_store.c)
target_compile_options(compare PRIVATE ${STRICT_WARNINGS})
target_link_libraries(compare PRIVATE interp jit_code tutti_compiler flow)
set_target_properties(compare PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests-tools)
if(TARGET tutti_jit)
  tutti_tests(jit jit_code tutti_compiler flow)
  target_compile_definitions(test_jit PRIVATE JIT_PLUGIN="$<TARGET_FILE:tutti_jit>"
      JIT_BUILD="${JIT_BUILD}")
  add_dependencies(test_jit tutti_jit)
endif()
