# The module with the ESP32 backend, for MicroPython's esp32 port.
add_library(usermod_rfsniff INTERFACE)

target_sources(usermod_rfsniff INTERFACE
    ${CMAKE_CURRENT_LIST_DIR}/rfsniff.c
    ${CMAKE_CURRENT_LIST_DIR}/frame.c
    ${CMAKE_CURRENT_LIST_DIR}/ring.c
    ${CMAKE_CURRENT_LIST_DIR}/intake.c
    ${CMAKE_CURRENT_LIST_DIR}/radio_esp32.c
)
# The whole program fits into the first block of the heap, so the heap never takes memory that Wi-Fi, Bluetooth and TLS
# need later, and has no gap between two blocks (firmware/native/README.md).
target_compile_definitions(usermod_rfsniff INTERFACE MICROPY_GC_INITIAL_HEAP_SIZE=81920)
target_link_libraries(usermod INTERFACE usermod_rfsniff)
