// The one channel that is simulated: queues, backoff, collisions, aggregation, acknowledgements, retries.
//
// Source: IEEE 802.11-2020 10.3 (DCF), 10.23.2 (EDCA), 10.25 (Block Ack), 10.13 (A-MPDU).
#include <stdlib.h>
#include <string.h>

#include "medium.h"

#define TRIES 7
#define TRIES_AGGREGATED 14
#define LONGEST_AMPDU_NS 4000000LL
#define LONGEST_AMPDU_BYTES 32000
#define STAMPED_APART_NS 2000 // the frames of an A-MPDU, at its end
#define AT_ONCE_NS 2000       // of a frame that finds the channel idle
#define RETRY 0x08
#define FCS_BYTES 4
#define DELIMITER_BYTES 4

enum { MOST_AT_ONCE = 4 }; // transmissions that collide
enum { RTS = 0xb4, CTS = 0xc4, ACK = 0xd4, BLOCK_ACK = 0x94 };
enum { RTS_BYTES = 16, CTS_BYTES = 10, ACK_BYTES = 10, BLOCK_ACK_BYTES = 28, CONTROL_RATE = 8 };

static const int aifs_slots[CATEGORIES] = {2, 2, 3, 7};
static const int shortest_window[CATEGORIES] = {3, 7, 15, 15};
static const int longest_window[CATEGORIES] = {7, 15, 1023, 1023};

typedef struct {
    int from;
    int category;
    int count; // of frames
    int mcs;   // -1: a legacy rate
    bool is_collided;
    bool has_rts;
    int64_t start_ns, air_ns, end_ns;
    frame_t *frames[MOST_IN_AMPDU];
} transmission_t;

static transmission_t transmissions[MOST_AT_ONCE];
static int on_air;             // number of transmissions
static int64_t ends_ns;        // when the last of them ends, 0: the channel is idle
static int64_t idle_since_ns;

// ---- queues ----

static void push(queue_t *queue, frame_t *frame) {
    frame->next = NULL;
    if (queue->tail) {
        queue->tail->next = frame;
    } else {
        queue->head = frame;
    }
    queue->tail = frame;
    ++queue->length;
}

static frame_t *pop(queue_t *queue) {
    frame_t *frame = queue->head;
    queue->head = frame->next;
    if (!queue->head) {
        queue->tail = NULL;
    }
    --queue->length;
    return frame;
}

static void push_back(queue_t *queue, frame_t *frame) {
    frame->next = queue->head;
    queue->head = frame;
    if (!queue->tail) {
        queue->tail = frame;
    }
    ++queue->length;
}

void begin_channel(void) {
    idle_since_ns = clock_ns();
    for (int radio = 0; radio < MOST_RADIOS; ++radio) {
        for (int category = 0; category < CATEGORIES; ++category) {
            air.radios[radio].queues[category].window = shortest_window[category];
        }
    }
}

void accept_frame(int from, frame_t *frame) {
    queue_t *queue = &air.radios[from].queues[category_of(frame)];
    if (frame->frequency_mhz != air.sensor_mhz) {
        // Another channel, while a station scans: nobody contends there, and everybody hears.
        for (int to = 0; to < MOST_RADIOS; ++to) {
            if (air.radios[to].is_used && to != from) {
                deliver(to, frame, signal_dbm(from, to, frame->arrived_ns), 0);
            }
        }
        report(from, frame, !is_group_address(frame->data + 4) && radio_of(frame->data + 4) >= 0);
        free(frame);
    } else if (queue->length >= air.radios[from].queue_limit) {
        report(from, frame, false);
        free(frame);
    } else {
        push(queue, frame);
    }
}

// ---- contention ----

// When the head of a queue would be sent. Draws the backoff if none is counting.
static int64_t access_ns(queue_t *queue, int category) {
    int64_t wait_ns = SIFS_NS + aifs_slots[category] * SLOT_NS;
    int64_t arrived_ns = queue->head->arrived_ns;
    bool finds_idle = arrived_ns > idle_since_ns + wait_ns;
    if (queue->backoff < 0) {
        queue->backoff = finds_idle && !queue->head->tries ? 0 : (int)(uniform() * (queue->window + 1));
    }
    if (finds_idle && queue->backoff == 0) {
        return arrived_ns + AT_ONCE_NS;
    }
    return (arrived_ns > idle_since_ns ? arrived_ns : idle_since_ns) + wait_ns + queue->backoff * SLOT_NS;
}

static int64_t next_start_ns(void) {
    int64_t first_ns = 0;
    for (int radio = 0; radio < MOST_RADIOS; ++radio) {
        for (int category = 0; category < CATEGORIES; ++category) {
            queue_t *queue = &air.radios[radio].queues[category];
            if (queue->head) {
                int64_t at_ns = access_ns(queue, category);
                if (!first_ns || at_ns < first_ns) {
                    first_ns = at_ns;
                }
            }
        }
    }
    return first_ns;
}

int64_t next_due_ns(void) {
    return ends_ns ? ends_ns : next_start_ns();
}

// Adds to an A-MPDU what follows for the same receiver and traffic class.
static int aggregate(transmission_t *sent, queue_t *queue, int tid, int bytes) {
    const frame_t *first = sent->frames[0];
    bytes += DELIMITER_BYTES + (-bytes & 3);
    while (queue->head && sent->count < air.most_in_ampdu && tid_of(queue->head) == tid
           && memcmp(queue->head->data + 4, first->data + 4, ADDRESS_BYTES) == 0) {
        int with_next = bytes + queue->head->length + FCS_BYTES + DELIMITER_BYTES;
        if (with_next >= LONGEST_AMPDU_BYTES || mcs_ns(sent->mcs, 8 * with_next) >= LONGEST_AMPDU_NS) {
            break;
        }
        sent->frames[sent->count++] = pop(queue);
        bytes = with_next;
    }
    return bytes;
}

static void start(transmission_t *sent, int from, int category, int64_t at_ns) {
    queue_t *queue = &air.radios[from].queues[category];
    frame_t *first = pop(queue);
    const uint8_t *receiver = first->data + 4;
    bool is_group = is_group_address(receiver);
    int to = is_group ? -1 : radio_of(receiver), tid = tid_of(first), bytes = first->length + FCS_BYTES;

    *sent = (transmission_t){.from = from, .category = category, .count = 1, .mcs = -1, .start_ns = at_ns};
    sent->frames[0] = first;
    if (to >= 0 && air.radios[from].has_ht && air.radios[to].has_ht && tid >= 0) {
        sent->mcs = choose_mcs(from, to, first->tries, at_ns);
        if (has_agreement(first->data + 10, receiver, tid)) {
            bytes = aggregate(sent, queue, tid, bytes);
        }
    }
    int rate = choose_legacy_rate(first);
    sent->air_ns = sent->mcs >= 0 ? mcs_ns(sent->mcs, 8 * bytes) : legacy_ns(rate, bytes);
    sent->end_ns = at_ns + sent->air_ns;
    if (air.rts_bytes && to >= 0 && bytes >= air.rts_bytes) {
        sent->has_rts = true;
        sent->end_ns += legacy_ns(CONTROL_RATE, RTS_BYTES + FCS_BYTES) + legacy_ns(CONTROL_RATE, CTS_BYTES + FCS_BYTES);
        sent->end_ns += 2 * SIFS_NS;
    }
    if (!is_group) {
        int answer = sent->mcs >= 0 ? CONTROL_RATE : answer_rate(rate);
        sent->end_ns += SIFS_NS + legacy_ns(answer, (sent->count > 1 ? BLOCK_ACK_BYTES : ACK_BYTES) + FCS_BYTES);
    }
}

// Starts what is due: one transmission of a radio at the most, the others of which lose some backoff.
static void start_all(int64_t at_ns) {
    on_air = 0;
    for (int radio = 0; radio < MOST_RADIOS; ++radio) {
        bool has_started = false;
        for (int category = 0; category < CATEGORIES; ++category) {
            queue_t *queue = &air.radios[radio].queues[category];
            if (!queue->head) {
                continue;
            }
            if (access_ns(queue, category) < at_ns + SLOT_NS / 2 && !has_started && on_air < MOST_AT_ONCE) {
                has_started = true;
                start(&transmissions[on_air++], radio, category, at_ns);
            } else if (queue->backoff > 0) {
                int64_t arrived_ns = queue->head->arrived_ns;
                int64_t waited_ns = at_ns - (arrived_ns > idle_since_ns ? arrived_ns : idle_since_ns);
                int64_t slots = (waited_ns - SIFS_NS) / SLOT_NS - aifs_slots[category];
                if (slots > 0) {
                    queue->backoff -= slots < queue->backoff ? (int)slots : queue->backoff;
                }
            }
        }
    }
    ends_ns = 0;
    for (int i = 0; i < on_air; ++i) {
        transmissions[i].is_collided = on_air > 1;
        if (transmissions[i].end_ns > ends_ns) {
            ends_ns = transmissions[i].end_ns;
        }
    }
}

// ---- what the sensor receives ----

static void put_duration(uint8_t *frame, int64_t duration_ns) {
    int us = (int)(duration_ns / 1000);
    frame[2] = (uint8_t)us;
    frame[3] = (uint8_t)(us >> 8);
}

static void write_control(int from, const uint8_t *frame, int bytes, int rate, int64_t at_ns) {
    double dbm;
    if (sensor_hears(from, legacy_snr_db(rate), bytes + FCS_BYTES, at_ns, &dbm)) {
        write_reception(&(reception_t){at_ns, frame, bytes, bytes, legacy_500kbps(rate), -1, dbm, false});
    }
}

// Writes RTS and CTS; returns when the data begins.
static int64_t write_announcement(const transmission_t *sent, int to) {
    const uint8_t *data = sent->frames[0]->data;
    uint8_t control[RTS_BYTES] = {RTS};
    int64_t at_ns = sent->start_ns + legacy_ns(CONTROL_RATE, RTS_BYTES + FCS_BYTES);
    put_duration(control, sent->end_ns - at_ns);
    memcpy(control + 4, data + 4, 2 * ADDRESS_BYTES);
    if (!sent->is_collided) {
        write_control(sent->from, control, RTS_BYTES, CONTROL_RATE, at_ns);
    }
    at_ns += SIFS_NS + legacy_ns(CONTROL_RATE, CTS_BYTES + FCS_BYTES);
    control[0] = CTS;
    put_duration(control, sent->end_ns - at_ns);
    memcpy(control + 4, data + 10, ADDRESS_BYTES);
    if (to >= 0 && !sent->is_collided) {
        write_control(to, control, CTS_BYTES, CONTROL_RATE, at_ns);
    }
    return at_ns + SIFS_NS;
}

// Writes an MPDU if the sensor receives it. Two streams are more than its one antenna can read.
static void write_data(const transmission_t *sent, const frame_t *frame, int rate, double needed_db, double dbm,
                       int64_t data_ns, int64_t stamp_ns) {
    if (sent->is_collided || sent->mcs > 7 || is_lost(dbm - noise_at_dbm(data_ns), needed_db, frame->length)) {
        return;
    }
    int kept = header_bytes(frame->data, frame->length);
    int rate_500kbps = legacy_500kbps(rate);
    write_reception(&(reception_t){stamp_ns, frame->data, kept, frame->length, rate_500kbps, sent->mcs, dbm,
                                   sent->count > 1});
}

static void write_answer(const transmission_t *sent, int to, const uint8_t *sender, const uint8_t *receiver, int base,
                         uint64_t bitmap, int rate) {
    uint8_t control[BLOCK_ACK_BYTES] = {sent->count > 1 ? BLOCK_ACK : ACK};
    memcpy(control + 4, sender, ADDRESS_BYTES);
    if (sent->count > 1) {
        memcpy(control + 10, receiver, ADDRESS_BYTES);
        control[16] = 0x05; // compressed
        control[18] = (uint8_t)(base << 4);
        control[19] = (uint8_t)(base >> 4);
        memcpy(control + 20, &bitmap, sizeof bitmap);
    }
    write_control(to, control, sent->count > 1 ? BLOCK_ACK_BYTES : ACK_BYTES, rate, sent->end_ns);
}

// ---- the end of a transmission ----

static int sequence_of(const frame_t *frame) {
    return frame->data[22] >> 4 | frame->data[23] << 4;
}

static int most_tries(const transmission_t *sent, const frame_t *frame) {
    int tid = tid_of(frame);
    bool is_agreed = sent->mcs >= 0 && tid >= 0 && has_agreement(frame->data + 10, frame->data + 4, tid);
    return sent->count > 1 || is_agreed ? TRIES_AGGREGATED : TRIES;
}

static void finish_frame(int from, frame_t *frame, bool is_acknowledged) {
    report(from, frame, is_acknowledged);
    free(frame);
}

static void deliver_to_all(const transmission_t *sent, frame_t *frame, double needed_db, int rate, int64_t data_ns) {
    for (int to = 0; to < MOST_RADIOS; ++to) {
        if (air.radios[to].is_used && to != sent->from) {
            double dbm = signal_dbm(sent->from, to, data_ns);
            if (!sent->is_collided && !is_lost(dbm - noise_at_dbm(data_ns), needed_db, frame->length)) {
                deliver(to, frame, dbm, rate);
            }
        }
    }
    finish_frame(sent->from, frame, false);
}

static void complete(transmission_t *sent) {
    const frame_t *first = sent->frames[0];
    queue_t *queue = &air.radios[sent->from].queues[sent->category];
    bool is_group = is_group_address(first->data + 4), is_acknowledged = false;
    int to = is_group ? -1 : radio_of(first->data + 4), base = sequence_of(first);
    int rate = sent->mcs < 0 ? choose_legacy_rate(first) : 0;
    int answer = sent->mcs >= 0 ? CONTROL_RATE : answer_rate(rate);
    double needed_db = sent->mcs >= 0 ? mcs_snr_db(sent->mcs) : legacy_snr_db(rate);
    double at_receiver_dbm = to >= 0 ? signal_dbm(sent->from, to, sent->start_ns) : 0;
    uint8_t sender[ADDRESS_BYTES], receiver[ADDRESS_BYTES];
    uint64_t bitmap = 0;
    frame_t *again[MOST_IN_AMPDU];
    int repeats = 0;

    memcpy(receiver, first->data + 4, ADDRESS_BYTES);
    memcpy(sender, first->data + 10, ADDRESS_BYTES);
    int64_t data_ns = sent->has_rts ? write_announcement(sent, to) : sent->start_ns;
    int64_t data_end_ns = data_ns + sent->air_ns;
    double at_sensor_dbm = signal_dbm(sent->from, SENSOR, data_ns); // of the preamble, for all its frames
    begin_ampdu();
    for (int i = 0; i < sent->count; ++i) {
        frame_t *frame = sent->frames[i];
        bool has_arrived = false, is_answer_lost = false;
        if (++frame->tries > 1) {
            frame->data[1] |= RETRY;
        }
        if (!is_group) {
            int bytes = (sent->count > 1 ? BLOCK_ACK_BYTES : ACK_BYTES) + FCS_BYTES;
            put_duration(frame->data, SIFS_NS + legacy_ns(answer, bytes));
        }
        int64_t stamp_ns = data_end_ns - (sent->count - 1 - i) * STAMPED_APART_NS;
        write_data(sent, frame, rate, needed_db, at_sensor_dbm, data_ns, stamp_ns);
        if (is_group) {
            deliver_to_all(sent, frame, needed_db, rate, data_ns);
            continue;
        }
        if (to >= 0 && air.radios[to].is_used && !sent->is_collided) {
            has_arrived = !is_lost(at_receiver_dbm - noise_at_dbm(data_ns), needed_db, frame->length);
        }
        if (has_arrived) {
            int offset = (sequence_of(frame) - base) & 4095;
            learn_from_frame(sent->from, frame->data, frame->length);
            deliver(to, frame, at_receiver_dbm, sent->mcs >= 0 ? 4 + (sent->mcs & 7) : rate);
            bitmap |= offset < 64 ? 1ULL << offset : 0;
            is_acknowledged = true;
            // A lost ACK makes a duplicate, as on a real air; a Block Ack is asked for again.
            if (sent->count == 1) {
                double back_dbm = signal_dbm(to, sent->from, data_end_ns);
                is_answer_lost = is_lost(back_dbm - noise_at_dbm(data_end_ns), legacy_snr_db(answer), ACK_BYTES + FCS_BYTES);
            }
        }
        if (has_arrived && !is_answer_lost) {
            finish_frame(sent->from, frame, true);
        } else if (frame->tries >= most_tries(sent, frame)) {
            finish_frame(sent->from, frame, false);
        } else {
            again[repeats++] = frame;
        }
    }
    if (is_acknowledged) {
        write_answer(sent, to, sender, receiver, base, bitmap, answer);
    }
    while (repeats) {
        push_back(queue, again[--repeats]);
    }
    bool is_retry = !is_acknowledged && !is_group && queue->head && queue->head->tries;
    int doubled = queue->window * 2 + 1, longest = longest_window[sent->category];
    queue->backoff = -1;
    queue->window = !is_retry ? shortest_window[sent->category] : doubled < longest ? doubled : longest;
}

void run_channel(void) {
    int64_t now_ns = clock_ns();
    if (ends_ns && now_ns >= ends_ns) {
        int count = on_air;
        for (int i = 0; i < count; ++i) {
            complete(&transmissions[i]);
        }
        idle_since_ns = ends_ns;
        ends_ns = 0;
        on_air = 0;
    } else if (!ends_ns) {
        int64_t due_ns = next_start_ns();
        if (due_ns && now_ns >= due_ns) {
            start_all(due_ns);
        }
    }
}
