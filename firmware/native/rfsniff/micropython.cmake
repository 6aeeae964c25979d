# The module with the ESP32 backend, for MicroPython's esp32 port.
add_library(usermod_rfsniff INTERFACE)

target_sources(usermod_rfsniff INTERFACE
    ${CMAKE_CURRENT_LIST_DIR}/rfsniff.c
    ${CMAKE_CURRENT_LIST_DIR}/frame.c
    ${CMAKE_CURRENT_LIST_DIR}/ring.c
    ${CMAKE_CURRENT_LIST_DIR}/intake.c
    ${CMAKE_CURRENT_LIST_DIR}/radio_esp32.c
)
target_link_libraries(usermod INTERFACE usermod_rfsniff)
