# The simulated plant of examples/press-line: peers on foreign protocol stacks, not the product.
foreach(part presses meter)
  add_executable(plant_${part} ${CMAKE_SOURCE_DIR}/examples/press-line/plant/${part}.c)
  target_compile_options(plant_${part} PRIVATE ${STRICT_WARNINGS})
  set_target_properties(plant_${part} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plant)
endforeach()
target_link_libraries(plant_presses PRIVATE mosquitto m)
target_link_libraries(plant_meter PRIVATE modbus m)
