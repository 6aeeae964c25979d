"""
The air lab: recordings of real 802.11 stacks and real programs, made without a radio.

A user-mode Linux boots in a second. In it run an access point (hostapd), stations (wpa_supplicant) and programs such as
ffmpeg, iperf3 and rsync, over radios that mac80211_hwsim simulates. `medium/` is the air between them and the sensor.

    scenario     what a scenario is made of: places, radios, networks, programs
    scenarios/   the scenarios, as data
    machine      builds the machine and boots it
    media        the films that cameras send
    guest/       what runs inside the machine
    recording    what the sensor received, as a record file
    score        how the detectors judge record files

See docs/airlab.md.
"""
