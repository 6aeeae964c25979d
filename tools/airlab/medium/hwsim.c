// Speaks with mac80211_hwsim by generic netlink: takes frames, delivers them, and reports what became of them.
//
// Source: drivers/net/wireless/mac80211_hwsim.h of Linux.
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "medium.h"

enum { COMMAND_REGISTER = 1, COMMAND_FRAME = 2, COMMAND_TX_INFO = 3 };
enum {
    RECEIVER = 1,
    TRANSMITTER = 2,
    FRAME = 3,
    FLAGS = 4,
    RX_RATE = 5,
    SIGNAL = 6,
    TX_INFO = 7,
    COOKIE = 8,
    FREQUENCY = 19,
    MOST_ATTRIBUTES = 32,
};
enum { FLAG_ACKNOWLEDGED = 4, REPORTED_DBM = -50, RADIO_BYTE = 4, SHORTEST_FRAME = 10, WITH_TRANSMITTER = 16, HEADER_ROOM = 32 };

#define MESSAGE_BYTES 16384
#define BUFFER_BYTES (1 << 18)
#define RECEIVE_BYTES (8 << 20)
#define MOST_DELAY_NS 120000 // of bus and driver, so that no two machines are in step

static int descriptor;
static int family;
static uint32_t sequence;
static char message[MESSAGE_BYTES];

// ---- messages ----

static char *begin_message(int type, int command) {
    struct nlmsghdr *header = (struct nlmsghdr *)message;
    struct genlmsghdr *generic = NLMSG_DATA(header);
    memset(message, 0, NLMSG_HDRLEN + GENL_HDRLEN);
    header->nlmsg_type = (uint16_t)type;
    header->nlmsg_flags = NLM_F_REQUEST;
    generic->cmd = (uint8_t)command;
    generic->version = 1;
    return message + NLMSG_HDRLEN + GENL_HDRLEN;
}

static char *put(char *end, int type, const void *value, int size) {
    struct nlattr *attribute = (struct nlattr *)end;
    attribute->nla_type = (uint16_t)type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    memcpy(end + NLA_HDRLEN, value, (size_t)size);
    memset(end + NLA_HDRLEN + size, 0, (size_t)(NLA_ALIGN(size) - size));
    return end + NLA_HDRLEN + NLA_ALIGN(size);
}

static char *put_radio(char *end, int type, int radio) {
    uint8_t address[ADDRESS_BYTES] = {0x42, 0, 0, 0, (uint8_t)radio, 0};
    return put(end, type, address, sizeof address);
}

static void send_message(char *end) {
    struct nlmsghdr *header = (struct nlmsghdr *)message;
    header->nlmsg_len = (uint32_t)(end - message);
    header->nlmsg_seq = ++sequence;
    send(descriptor, message, header->nlmsg_len, 0);
}

// Fills an array with the attributes of a message by their type.
static void find_attributes(char *netlink_message, size_t bytes, struct nlattr **attributes) {
    char *start = netlink_message + NLMSG_HDRLEN + GENL_HDRLEN;
    int left = (int)bytes - (int)(NLMSG_HDRLEN + GENL_HDRLEN);
    while (left >= NLA_HDRLEN) {
        struct nlattr *attribute = (struct nlattr *)start;
        int type = attribute->nla_type & NLA_TYPE_MASK;
        if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > left) {
            return;
        }
        if (type < MOST_ATTRIBUTES) {
            attributes[type] = attribute;
        }
        start += NLA_ALIGN(attribute->nla_len);
        left -= NLA_ALIGN(attribute->nla_len);
    }
}

static const void *value_of(const struct nlattr *attribute) {
    return (const char *)attribute + NLA_HDRLEN;
}

// ---- from the radios ----

static frame_t *copy_frame(struct nlattr *const *attributes) {
    int length = attributes[FRAME]->nla_len - NLA_HDRLEN;
    const int8_t *proposals = value_of(attributes[TX_INFO]);
    // Room for a whole header: some control frames end before the sequence number.
    frame_t *frame = calloc(1, sizeof *frame + (size_t)length + HEADER_ROOM);
    if (!frame) {
        abort();
    }
    frame->length = length;
    memcpy(frame->data, value_of(attributes[FRAME]), (size_t)length);
    memcpy(&frame->cookie, value_of(attributes[COOKIE]), sizeof frame->cookie);
    memcpy(&frame->flags, value_of(attributes[FLAGS]), sizeof frame->flags);
    frame->frequency_mhz = air.sensor_mhz;
    if (attributes[FREQUENCY]) {
        memcpy(&frame->frequency_mhz, value_of(attributes[FREQUENCY]), sizeof frame->frequency_mhz);
    }
    for (int i = 0; i < RATE_TRIES; ++i) {
        frame->rate[i] = proposals[2 * i];
        frame->count[i] = (uint8_t)proposals[2 * i + 1];
    }
    frame->arrived_ns = clock_ns() + (int64_t)(uniform() * MOST_DELAY_NS);
    return frame;
}

static void take_message(struct nlmsghdr *header) {
    struct genlmsghdr *generic = NLMSG_DATA(header);
    struct nlattr *attributes[MOST_ATTRIBUTES] = {0};
    if (header->nlmsg_type != family || generic->cmd != COMMAND_FRAME) {
        return;
    }
    find_attributes((char *)header, header->nlmsg_len, attributes);
    if (!attributes[TRANSMITTER] || !attributes[FRAME] || !attributes[COOKIE] || !attributes[FLAGS]
        || !attributes[TX_INFO] || attributes[TX_INFO]->nla_len < NLA_HDRLEN + 2 * RATE_TRIES) {
        return;
    }
    int from = ((const uint8_t *)value_of(attributes[TRANSMITTER]))[RADIO_BYTE];
    frame_t *frame = copy_frame(attributes);
    if (from >= MOST_RADIOS || !air.radios[from].is_used || frame->length < SHORTEST_FRAME) {
        free(frame);
        return;
    }
    if (frame->length >= WITH_TRANSMITTER) {
        learn_address(frame->data + 10, from);
    }
    accept_frame(from, frame);
}

bool receive_frame(void) {
    static char buffer[BUFFER_BYTES];
    ssize_t size = recv(descriptor, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size <= 0) {
        return false;
    }
    int left = (int)size;
    for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
        take_message(header);
    }
    return true;
}

// ---- to the radios ----

void deliver(int to, const frame_t *frame, double dbm, int rate) {
    uint32_t rate_index = (uint32_t)rate, signal_dbm = (uint32_t)(int32_t)dbm;
    char *end = begin_message(family, COMMAND_FRAME);
    end = put_radio(end, RECEIVER, to);
    end = put(end, FRAME, frame->data, frame->length);
    end = put(end, RX_RATE, &rate_index, sizeof rate_index);
    end = put(end, SIGNAL, &signal_dbm, sizeof signal_dbm);
    end = put(end, FREQUENCY, &frame->frequency_mhz, sizeof frame->frequency_mhz);
    send_message(end);
}

void report(int from, const frame_t *frame, bool is_acknowledged) {
    uint32_t flags = (frame->flags & ~(uint32_t)FLAG_ACKNOWLEDGED) | (is_acknowledged ? FLAG_ACKNOWLEDGED : 0);
    uint32_t signal_dbm = (uint32_t)REPORTED_DBM;
    int8_t tries[2 * RATE_TRIES];
    int left = frame->tries ? frame->tries : 1;

    // The tries are spent on the proposed rates in turn, as a radio would have.
    for (int i = 0; i < RATE_TRIES; ++i) {
        int count = frame->rate[i] < 0 ? 0 : frame->count[i] < left ? frame->count[i] : left;
        if (i == RATE_TRIES - 1 || frame->rate[i + 1] < 0) {
            count = frame->rate[i] < 0 ? 0 : left;
        }
        tries[2 * i] = left > 0 ? frame->rate[i] : -1;
        tries[2 * i + 1] = (int8_t)count;
        left -= count;
    }
    char *end = begin_message(family, COMMAND_TX_INFO);
    end = put_radio(end, TRANSMITTER, from);
    end = put(end, FLAGS, &flags, sizeof flags);
    end = put(end, COOKIE, &frame->cookie, sizeof frame->cookie);
    end = put(end, SIGNAL, &signal_dbm, sizeof signal_dbm);
    end = put(end, TX_INFO, tries, sizeof tries);
    send_message(end);
}

// ---- start ----

static int ask_family(void) {
    static char buffer[MESSAGE_BYTES];
    static const char name[] = "MAC80211_HWSIM";
    struct nlattr *attributes[MOST_ATTRIBUTES] = {0};
    uint16_t number;

    send_message(put(begin_message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY), CTRL_ATTR_FAMILY_NAME, name, sizeof name));
    ssize_t size = recv(descriptor, buffer, sizeof buffer, 0);
    if (size <= (ssize_t)(NLMSG_HDRLEN + GENL_HDRLEN) || ((struct nlmsghdr *)buffer)->nlmsg_type != GENL_ID_CTRL) {
        return 0;
    }
    find_attributes(buffer, (size_t)size, attributes);
    if (!attributes[CTRL_ATTR_FAMILY_ID]) {
        return 0;
    }
    memcpy(&number, value_of(attributes[CTRL_ATTR_FAMILY_ID]), sizeof number);
    return number;
}

bool open_hwsim(void) {
    struct sockaddr_nl self = {.nl_family = AF_NETLINK};
    int size = RECEIVE_BYTES;
    descriptor = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&self, sizeof self) < 0) {
        perror("medium: netlink");
        return false;
    }
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    family = ask_family();
    if (!family) {
        fprintf(stderr, "medium: this kernel has no mac80211_hwsim\n");
        return false;
    }
    send_message(begin_message(family, COMMAND_REGISTER));
    return true;
}

int hwsim_descriptor(void) {
    return descriptor;
}
