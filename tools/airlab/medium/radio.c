// What arrives where: path loss, fading, noise, frame errors, rates and air time.
//
// Source: IEEE 802.11-2020 17.4.3 and 19.4.3 (air time of OFDM and HT), 16.3.4 (DSSS).
#include <math.h>

#include "medium.h"

#define LOSS_AT_1_M_DB 40
#define NEAREST_M 0.3
#define FADING_S 2.0           // correlation time of the slow fading
#define FAST_FADING_DB 0.7     // standard deviation, of each frame
#define ERROR_SLOPE 1.6        // of the frame error curve, per dB
#define RATE_MARGIN_DB 3       // kept by rate control
#define SECOND_STREAM_DB 4     // more is needed for two streams
#define TWO_STREAMS_FROM_DB 12 // below, one stream is used
#define WORSE_RATE_SHARE 0.08  // rate control tries a slower rate now and then

enum { LEGACY_RATES = 12, MCS_RATES = 8, FIRST_OFDM = 4 };

static const int rates_500kbps[LEGACY_RATES] = {2, 4, 11, 22, 12, 18, 24, 36, 48, 72, 96, 108};
static const double rates_snr_db[LEGACY_RATES] = {1, 3, 5, 8, 5, 6, 8, 10, 13, 17, 21, 23};
static const int mcs_bits[MCS_RATES] = {26, 52, 78, 104, 156, 208, 234, 260}; // of a symbol, 20 MHz
static const double mcs_needed_db[MCS_RATES] = {5, 8, 11, 14, 18, 22, 24, 26};

static double fading_db[MOST_PLACES][MOST_PLACES];
static int64_t faded_ns[MOST_PLACES][MOST_PLACES];

double signal_dbm(int from, int to, int64_t at_ns) {
    const radio_t *sender = &air.radios[from];
    double x = to == SENSOR ? air.sensor_x : air.radios[to].x;
    double y = to == SENSOR ? air.sensor_y : air.radios[to].y;
    double distance_m = hypot(sender->x - x, sender->y - y);
    int low = from < to ? from : to, high = from < to ? to : from;
    double kept = exp(-(double)(at_ns - faded_ns[low][high]) / (FADING_S * NS_PER_S));

    fading_db[low][high] = fading_db[low][high] * kept + air.fading_db * sqrt(1 - kept * kept) * normal();
    faded_ns[low][high] = at_ns;
    double loss_db = LOSS_AT_1_M_DB + 10 * air.path_exponent * log10(distance_m < NEAREST_M ? NEAREST_M : distance_m);
    return sender->power_dbm - loss_db - air.wall_db[low][high] + fading_db[low][high] + FAST_FADING_DB * normal();
}

double noise_at_dbm(int64_t at_ns) {
    int64_t period_ns = air.burst_on_ns + air.burst_off_ns;
    bool is_burst = period_ns && at_ns % period_ns < air.burst_on_ns;
    return air.noise_dbm + (is_burst ? air.burst_db : 0);
}

bool is_lost(double snr_db, double needed_db, int length) {
    double of_1000_bytes = 1 / (1 + exp((snr_db - needed_db) * ERROR_SLOPE));
    return uniform() < 1 - pow(1 - of_1000_bytes, length / 1000.0 + 0.1);
}

bool sensor_hears(int from, double needed_db, int length, int64_t at_ns, double *dbm) {
    *dbm = signal_dbm(from, SENSOR, at_ns);
    return !is_lost(*dbm - noise_at_dbm(at_ns), needed_db, length);
}

int64_t legacy_ns(int rate, int length) {
    int per_symbol = 2 * rates_500kbps[rate]; // bits of an OFDM symbol of 4 us
    if (rate < FIRST_OFDM) {
        return (96 + (rate ? 0 : 96)) * 1000LL + 16LL * length * 1000 / rates_500kbps[rate];
    }
    return (26 + 4 * ((22 + 8 * length + per_symbol - 1) / per_symbol)) * 1000LL;
}

int64_t mcs_ns(int mcs, int bits) {
    int streams = 1 + (mcs >> 3), per_symbol = mcs_bits[mcs & 7] * streams;
    return (36 + 4 * (streams - 1) + 4 * ((22 + bits + per_symbol - 1) / per_symbol) + 6) * 1000LL;
}

double legacy_snr_db(int rate) {
    return rates_snr_db[rate];
}

double mcs_snr_db(int mcs) {
    return mcs_needed_db[mcs & 7] + (mcs > 7 ? 3 : 0);
}

int legacy_500kbps(int rate) {
    return rates_500kbps[rate];
}

int answer_rate(int rate) {
    if (rate < FIRST_OFDM) {
        return rate;
    }
    return rate >= 8 ? 8 : rate >= 6 ? 6 : 4; // 24, 12 or 6 Mbit/s
}

int choose_mcs(int from, int to, int tries, int64_t at_ns) {
    const radio_t *sender = &air.radios[from], *receiver = &air.radios[to];
    int streams = sender->streams < receiver->streams ? sender->streams : receiver->streams;
    int highest = sender->highest_mcs < receiver->highest_mcs ? sender->highest_mcs : receiver->highest_mcs;
    double snr_db = signal_dbm(from, to, at_ns) - air.noise_dbm - RATE_MARGIN_DB;
    int mcs = 0;

    snr_db -= streams > 1 ? SECOND_STREAM_DB : 0;
    for (int i = 0; i < MCS_RATES && i <= highest; ++i) {
        if (snr_db >= mcs_needed_db[i]) {
            mcs = i;
        }
    }
    mcs -= tries / 2 + (uniform() < WORSE_RATE_SHARE);
    mcs = mcs < 0 ? 0 : mcs;
    return streams > 1 && snr_db > TWO_STREAMS_FROM_DB ? mcs + MCS_RATES : mcs;
}

static int known_rate(int rate) {
    return rate >= 0 && rate < LEGACY_RATES ? rate : 0;
}

int choose_legacy_rate(const frame_t *frame) {
    int rest = frame->tries;
    for (int i = 0; i < RATE_TRIES && frame->rate[i] >= 0; ++i) {
        bool is_last = i == RATE_TRIES - 1 || frame->rate[i + 1] < 0;
        if (rest < frame->count[i] || is_last) {
            return known_rate(frame->rate[i]);
        }
        rest -= frame->count[i];
    }
    return known_rate(frame->rate[0]);
}
