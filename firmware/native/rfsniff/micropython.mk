# The module with the host backend, for ports that build with make; the tests use the unix port.
RFSNIFF_DIR := $(USERMOD_DIR)

SRC_USERMOD_C += $(RFSNIFF_DIR)/rfsniff.c $(RFSNIFF_DIR)/radio_host.c
SRC_USERMOD_LIB_C += $(RFSNIFF_DIR)/frame.c $(RFSNIFF_DIR)/ring.c $(RFSNIFF_DIR)/intake.c
CFLAGS_USERMOD += -DRFSNIFF_HOST=1
# A machine without an operating system has no threads.
ifneq ($(BOARD),VIRT_RV32)
CFLAGS_USERMOD += -DRFSNIFF_THREADS=1
endif
