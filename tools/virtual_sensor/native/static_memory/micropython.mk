# The module of static_memory.c, for the interpreter with the simulated hardware (tools/native.py).
SRC_USERMOD_C += $(USERMOD_DIR)/static_memory.c
