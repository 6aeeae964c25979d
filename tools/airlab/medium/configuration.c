// Reads the configuration that guest/network.py writes: one statement a line, metres and dBm.
//
//     seed N | noise DBM | exponent N | fade SIGMA_DB | rts BYTES (0: never) | ampdu MOST_FRAMES (1: none)
//     node RADIO X Y POWER_DBM STREAMS HIGHEST_MCS QUEUE
//     wall RADIO RADIO DB                  (the sensor is radio 99)
//     burst ON_MS OFF_MS DB                (interference that raises the noise everywhere)
//     sensor FILE X Y FREQUENCY_MHZ
#include <stdio.h>

#include "medium.h"

#define NS_PER_MS 1000000LL
#define LINE_BYTES 512
#define PATH_FORMAT "%255s"
#define PATH_BYTES 256

air_t air = {
    .noise_dbm = -92,
    .path_exponent = 3,
    .fading_db = 2,
    .most_in_ampdu = 32,
};

static bool add_radio(int number, const radio_t *radio) {
    if (number < 0 || number >= MOST_RADIOS) {
        return false;
    }
    air.radios[number] = *radio;
    air.radios[number].is_used = true;
    for (int category = 0; category < CATEGORIES; ++category) {
        air.radios[number].queues[category].backoff = -1;
    }
    return true;
}

static bool add_wall(int first, int second, double db) {
    if (first < 0 || second < 0 || first >= MOST_PLACES || second >= MOST_PLACES) {
        return false;
    }
    air.wall_db[first < second ? first : second][first < second ? second : first] = db;
    return true;
}

static bool read_statement(const char *line) {
    char path[PATH_BYTES];
    radio_t radio = {0};
    int number, other, seed;
    double db;

    if (sscanf(line, "node %d %lf %lf %lf %d %d %d", &number, &radio.x, &radio.y, &radio.power_dbm, &radio.streams,
               &radio.highest_mcs, &radio.queue_limit) == 7) {
        return add_radio(number, &radio);
    }
    if (sscanf(line, "wall %d %d %lf", &number, &other, &db) == 3) {
        return add_wall(number, other, db);
    }
    if (sscanf(line, "burst %d %d %lf", &number, &other, &db) == 3) {
        air.burst_on_ns = number * NS_PER_MS;
        air.burst_off_ns = other * NS_PER_MS;
        air.burst_db = db;
        return true;
    }
    if (sscanf(line, "sensor " PATH_FORMAT " %lf %lf %u", path, &air.sensor_x, &air.sensor_y, &air.sensor_mhz) == 4) {
        return open_capture(path);
    }
    if (sscanf(line, "seed %d", &seed) == 1) {
        seed_random(seed);
        return true;
    }
    if (sscanf(line, "ampdu %d", &air.most_in_ampdu) == 1) {
        return air.most_in_ampdu >= 1 && air.most_in_ampdu <= MOST_IN_AMPDU;
    }
    return sscanf(line, "noise %lf", &air.noise_dbm) == 1 || sscanf(line, "exponent %lf", &air.path_exponent) == 1
           || sscanf(line, "fade %lf", &air.fading_db) == 1 || sscanf(line, "rts %d", &air.rts_bytes) == 1;
}

bool read_configuration(const char *path) {
    char line[LINE_BYTES];
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    for (int number = 1; fgets(line, sizeof line, file); ++number) {
        if (!read_statement(line)) {
            fprintf(stderr, "medium: %s line %d is not understood: %s", path, number, line);
            fclose(file);
            return false;
        }
    }
    fclose(file);
    if (!air.sensor_mhz) {
        fprintf(stderr, "medium: %s has no sensor\n", path);
        return false;
    }
    return true;
}
