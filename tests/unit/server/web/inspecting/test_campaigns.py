"""A campaign, page by page."""

import re

from server.models import Campaign, CampaignAction, Photo
from tests.support.pictures import jpeg
from tests.unit.server.web.conftest import find


def test_a_campaign_from_its_plan_to_its_closing_report(sign_in, post, upload, rows, begin, room):
    client = sign_in("manager")
    assert "Please give the day." in post(client, "/campaigns/new", {"name": "July", "day": "x"}).text
    post(client, "/campaigns/new", {"name": "July sweep", "day": "2026-07-14"})
    campaign = f"/campaigns/{rows(Campaign)[0].public_id}"
    plan = f"{campaign}/plan"
    assert "needs a team and a building" in post(client, plan, {"do": "begin"}).text
    for name, way in (("North", "foot"), ("South", "car")):
        page = post(client, plan, {"do": "team", "name": name, "way": way}).text
    north, south = re.findall(r'<option value="([0-9a-z]{10})">(?:North|South)</option>', page)[:2]
    post(client, plan, {"do": "member", "team": north, "name": "Park", "agency": "Police", "partner": "police"})
    hall = find(r'name="facility" value="([^"]+)"', page[page.index("Buildings to add") :])
    sites = re.findall(r'name="facility" value="([^"]+)"', page)
    post(client, plan, {"do": "stops", "facility": sites, "team": north})
    page = post(client, plan, {"do": "begin"})
    assert page.request.path == campaign and "0 / 10" in page.text and "Park (Police)" in page.text

    inspector, running = begin()
    live = f"{campaign}/live?since="
    news = client.get(live + "0").text
    assert "1 running" in news
    mark = find(r'since=([^"]+)"', news)
    assert client.get(live + mark).status_code == 204
    stop = f"{campaign}/stops/{hall}"
    assert "Please give the reason" in post(client, stop, {"do": "hand_over", "team": south, "reason": ""}).text
    post(client, stop, {"do": "hand_over", "team": south, "reason": "held up"})
    assert "held up" in client.get(campaign).text
    rooms = re.findall(r'<option value="([0-9a-z]{10})">', client.get(stop).text)
    form = {"do": "act", "room": rooms[0], "text": "vent screwed tight"}
    upload(inspector, stop, form, stop, before=jpeg(colour="red"), after=jpeg(colour="green"))
    assert len(rows(CampaignAction)) == 1 and [one.kind for one in rows(Photo)] == ["before", "after"]
    post(inspector, f"/inspections/{running}/finish", {"result": "not_completed", "reason": "water"})

    report = post(client, plan, {"do": "close", "closing": "Thanks to all"}, page=campaign).text

    assert "Closing report: July sweep" in report and "0 of 10 restrooms inspected" in report
    assert "1 not completed" in report and "vent screwed tight" in report and "Thanks to all" in report
    assert client.get(live + "0").headers["HX-Refresh"] == "true"
