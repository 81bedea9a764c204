import threading, socket
from dataclasses import replace
import pytest
from werkzeug.serving import make_server
from playwright.sync_api import sync_playwright
from tests.browser import launch_arguments
from tests.connections import test_routes as t
from app.connections import routes
from app.connections.models import Walk, HISTORY, DONE, RUNNING
from app.core.db import db, now
from connectors.woocommerce.probe import Probe
from connectors.shopify import oauth, scopes

def test_shots(app, make_app, monkeypatch):
    a = make_app(public_url="http://127.0.0.1:8765", shopify_api_key=t.CLIENT_ID, shopify_api_secret=t.SECRET)
    monkeypatch.setattr(routes, "start_backfill", lambda _: None)
    monkeypatch.setattr(routes, "probe", lambda d, *x, **y: Probe(d, name="Tea", currency="EUR", timezone="UTC", notes=("WooCommerce 8.1 is older than Pannier was tried with (9.9): update it.",)))
    monkeypatch.setattr(oauth, "exchange_session_token", lambda *x: oauth.Grant("shpat", frozenset(scopes.REQUIRED)))
    monkeypatch.setattr(routes, "source_for", lambda _s: t.Facts())
    c = a.test_client()
    st = t.begin(c); t.call_back(c, st)
    st2 = t.begin(c)
    monkeypatch.setattr(routes, "probe", lambda d, *x, **y: Probe(d, problems=("The keys may only read, and Pannier must create webhooks: make keys with Read/Write permission.",)))
    st3 = t.begin(c); t.call_back(c, st3)
    c.get("/install/shopify", query_string={"id_token": t.session_token()})
    sid = [s.id for s in t.stores() if s.platform=="shopify"][0]
    db.session.add(Walk(store_id=sid, kind=HISTORY, resource="products", state=DONE, done=120, total=120, notes=[], started_at=now(), finished_at=now()))
    db.session.add(Walk(store_id=sid, kind=HISTORY, resource="orders", state=RUNNING, done=1300, total=3200, notes=["Orders older than 60 days are not readable: Shopify has to allow the app read_all_orders."], started_at=now()))
    db.session.commit()
    srv = make_server("127.0.0.1", 8765, a, threaded=True)
    th = threading.Thread(target=srv.serve_forever); th.start()
    try:
        with sync_playwright() as p:
            b = p.chromium.launch(**launch_arguments())
            log=[]
            for scheme, w in (("light",900),("dark",390)):
                pg = b.new_page(viewport={"width":w,"height":700}, color_scheme=scheme)
                pg.on("console", lambda m: log.append(m.text))
                pg.on("pageerror", lambda m: log.append(str(m)))
                n=[0]
                def cdn(route):
                    n[0]+=1
                    route.fulfill(content_type="text/javascript", body="window.shopify={idToken: async()=>%r}" % t.session_token())
                pg.route("https://cdn.shopify.com/**", cdn)
                u="http://127.0.0.1:8765/install/"
                for name, path in {"form":"woocommerce","bad":"woocommerce?store_url=http://x.example","ok":"woocommerce/return?success=1&user_id="+st,"denied":"woocommerce/return?success=0&user_id="+st2,"failed":"woocommerce/return?success=1&user_id="+st3,"expired":"woocommerce/return","home":"shopify?id_token="+t.session_token()}.items():
                    pg.goto(u+path); pg.screenshot(path=f"/tmp/shot_{name}_{scheme}.png")
                s = db.session.get(Walk,(sid,HISTORY,"orders")); s.done=2900; db.session.commit()
                pg.wait_for_timeout(3600); pg.screenshot(path=f"/tmp/shot_home2_{scheme}.png")
                print("HOME2", pg.inner_text("#walks"))
                s = db.session.get(Walk,(sid,HISTORY,"orders")); s.done=1300; db.session.commit()
                # reopening
                pg.goto(u+"shopify?id_token="+t.FORGED["expired"]())
                pg.wait_for_selector("#walks", timeout=5000)
                print("REOPENED", pg.url[-30:], pg.inner_text("h1"))
                # a token that stays bad: no loop
                pg.unroute("https://cdn.shopify.com/**")
                bad = t.FORGED["another app"](); k=[0]
                def cdn2(route):
                    k[0]+=1
                    route.fulfill(content_type="text/javascript", body="window.shopify={idToken: async()=>%r}" % bad)
                pg.route("https://cdn.shopify.com/**", cdn2)
                pg.goto(u+"shopify?id_token="+bad); pg.wait_for_timeout(1500)
                print("LOOPS", k[0], pg.inner_text("h1")); pg.screenshot(path=f"/tmp/shot_reopen_{scheme}.png")
                # form submits to the shop (CSP)
                pg.route("https://shop.example/**", lambda r: r.fulfill(body="THE SHOP", content_type="text/html"))
                pg.goto(u+"woocommerce"); pg.fill("#store_url","shop.example"); pg.click("button"); pg.wait_for_timeout(300)
                print("WENT", pg.url[:60], pg.content()[:80])
            print(log)
            b.close()
    finally:
        srv.shutdown(); th.join(); srv.server_close()
