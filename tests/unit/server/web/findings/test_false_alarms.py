"""The page of false-alarm rates."""

from tests.unit.server.web.conftest import find


def test_the_false_alarm_page_says_the_rate_and_what_it_rests_on(begin, say, post, sign_in):
    say.info("demo-1")
    client, running = begin("demo-1")
    say.finding("demo-1", running)
    manager = sign_in("manager")
    assert "Nothing judged yet" in manager.get("/findings/alarms").text
    finding = find(r'href="(/findings/[0-9a-z]{12})"', manager.get("/findings").text)
    post(client, finding, {"kind": "false", "reason": "a baby monitor"})

    page = manager.get("/findings/alarms").text

    assert "100.0 %" in page and "1 false of 1 judged alarms in 6 months." in page
    assert "1 false of 1 judged alarms; 0 are still open." in page
    assert "esp32_devkit" in page and "0.1.0" in page
