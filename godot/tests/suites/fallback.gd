extends "res://tests/suite.gd"
## What only the implementation in GDScript has to be asked for.

const Fallback := preload("res://addons/halloo/fallback.gd")


func before() -> void:
	pass


func wants(implementation: String) -> bool:
	return implementation == "fallback"


func test_addresses_are_ranked() -> void:
	var fallback := Fallback.new()
	var ranked := ["192.168.1.5", "10.0.0.1", "172.16.0.1", "84.1.2.3"]
	for i in ranked.size() - 1:
		check(fallback._rank(ranked[i]) > fallback._rank(ranked[i + 1]), "%s before %s" % [ranked[i], ranked[i + 1]])
	for never in ["127.0.0.1", "127.8.8.8", "::1", "fe80:0:0:0:1:2:3:4", "0:0:0:0:0:ffff:c0a8:101"]:
		equal(fallback._rank(never), 0, never + " is never told")
	for public in ["172.15.0.1", "172.32.0.1", "192.169.0.1", "100.1.1.1"]:
		equal(fallback._rank(public), 1, public + " is no private address")
	fallback.free()


func test_payloads_are_cut_and_escaped_when_printed() -> void:
	var fallback := Fallback.new()
	equal(fallback._shown("Grüße 🎮"), "Grüße 🎮", "harmless text")
	equal(fallback._shown("a\u001b[31m\r\nb\u202ec\u0085"), "a\\u001b[31m\\u000d\\u000ab\\u202ec\\u0085", "harmful text")
	equal(fallback._shown("x".repeat(5000)).length(), 201, "length of a long one")
	fallback.free()


func test_a_client_that_is_not_open_is_left_out() -> void:
	var fallback := Fallback.new()
	fallback.clients[1] = WebSocketPeer.new()
	equal(fallback.send_to_all("hello"), OK, "sending")
	fallback.clients.clear()
	fallback.free()
