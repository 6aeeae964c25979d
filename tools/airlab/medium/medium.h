// The medium: the air between radios of mac80211_hwsim, and a sensor that listens to it.
//
// mac80211_hwsim hands every frame to this process by generic netlink (hwsim.c). The radios contend for one channel as
// 802.11 does (channel.c); signal-to-noise ratios decide what arrives where (radio.c); what the sensor receives is
// written as a radiotap pcap that is cut behind the 802.11 and CCMP headers (capture.c). No frame body is ever written.
#ifndef AIRLAB_MEDIUM_H
#define AIRLAB_MEDIUM_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MOST_RADIOS = 48,
    SENSOR = 99, // number of the sensor where a radio is asked for
    MOST_PLACES = 100,
    RATE_TRIES = 4, // rates that a driver proposes for a frame
    MOST_IN_AMPDU = 64,
    CATEGORIES = 4, // voice and management, video, best effort, background
    ADDRESS_BYTES = 6,
};

#define NS_PER_S 1000000000LL
#define SLOT_NS 9000LL
#define SIFS_NS 10000LL

// A frame that a driver has handed over. `rate` are proposals, tried `count` times each; -1 ends them.
typedef struct frame {
    struct frame *next;
    int64_t arrived_ns;
    uint64_t cookie; // of the driver, for the report
    uint32_t flags;
    uint32_t frequency_mhz;
    int8_t rate[RATE_TRIES];
    uint8_t count[RATE_TRIES];
    int tries;
    int length;
    uint8_t data[];
} frame_t;

typedef struct {
    frame_t *head;
    frame_t *tail;
    int length;
    int backoff; // slots, -1: not drawn
    int window;
} queue_t;

typedef struct {
    bool is_used;
    bool has_ht;
    int streams;
    int highest_mcs;
    int queue_limit;
    double x, y; // metres
    double power_dbm;
    queue_t queues[CATEGORIES];
} radio_t;

// What the configuration says; radios by their number.
typedef struct {
    radio_t radios[MOST_RADIOS];
    double noise_dbm;
    double path_exponent;
    double fading_db;
    double wall_db[MOST_PLACES][MOST_PLACES]; // [lower number][higher number]
    double sensor_x, sensor_y;
    uint32_t sensor_mhz;
    int most_in_ampdu;
    int rts_bytes; // frames from this length on are announced, 0: never
    int64_t burst_on_ns, burst_off_ns;
    double burst_db;
} air_t;

extern air_t air;

// clock.c
int64_t clock_ns(void); // CLOCK_MONOTONIC
double uniform(void);   // 0..1
double normal(void);
void seed_random(int seed);

// configuration.c: returns false after a complaint on stderr.
bool read_configuration(const char *path);

// radio.c
double signal_dbm(int from, int to, int64_t at_ns); // `to` may be SENSOR
double noise_at_dbm(int64_t at_ns);
bool is_lost(double snr_db, double needed_db, int length);
bool sensor_hears(int from, double needed_db, int length, int64_t at_ns, double *dbm);
int64_t legacy_ns(int rate, int length);
int64_t mcs_ns(int mcs, int bits);
double legacy_snr_db(int rate);
double mcs_snr_db(int mcs);
int legacy_500kbps(int rate);
int answer_rate(int rate); // of the ACK to a frame of this rate
int choose_mcs(int from, int to, int tries, int64_t at_ns);
int choose_legacy_rate(const frame_t *frame);

// stations.c
int radio_of(const uint8_t *address); // -1: unknown
void learn_address(const uint8_t *address, int radio);
void learn_from_frame(int radio, const uint8_t *frame, int length);
bool has_agreement(const uint8_t *from, const uint8_t *to, int tid);

// header.c
int header_bytes(const uint8_t *frame, int length);
int tid_of(const frame_t *frame); // -1: no QoS data
int category_of(const frame_t *frame);
bool is_group_address(const uint8_t *address);

// capture.c
typedef struct {
    int64_t at_ns;
    const uint8_t *bytes;
    int kept;   // of the bytes
    int length; // on the air, without the FCS
    int rate_500kbps;
    int mcs; // -1: a legacy rate
    double dbm;
    bool is_aggregated;
} reception_t;

bool open_capture(const char *path);
void begin_ampdu(void);
void write_reception(const reception_t *reception);
void flush_capture(void);

// hwsim.c
bool open_hwsim(void); // false after a complaint on stderr
int hwsim_descriptor(void);
bool receive_frame(void); // takes a message, if there is one, and queues its frame
void deliver(int to, const frame_t *frame, double dbm, int rate);
void report(int from, const frame_t *frame, bool is_acknowledged);

// channel.c
void begin_channel(void);
void accept_frame(int from, frame_t *frame);
int64_t next_due_ns(void); // 0: nothing to do
void run_channel(void);    // does what is due

#endif
