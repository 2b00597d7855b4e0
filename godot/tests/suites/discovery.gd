extends "res://tests/suite.gd"
## Beacons: what is in them, and when they come.

## Another program that listens, here on the usual port before the server has it.
var _listener := PacketPeerUDP.new()


func before() -> void:
	WebSocketServer.stop_server()
	equal(_listener.bind(8766), OK, "the test listens on the discovery port")
	await started()
	WebSocketServer.start_service_discovery()


func after() -> void:
	_listener.close()
	set_beacon_interval()


## Beacons so often that a few moments without one say something.
func _hurry() -> void:
	set_beacon_interval(0.2)
	await started()


## The beacons that have arrived, each with when it was read.
func _beacons() -> Array[Dictionary]:
	var beacons: Array[Dictionary] = []
	while _listener.get_available_packet_count() > 0:
		var beacon: Variant = JSON.parse_string(_listener.get_packet().get_string_from_utf8())
		if beacon is Dictionary and beacon.get("service") == "websocket_server":
			beacons.append(beacon)
	return beacons


func _next_beacon() -> void:
	await until(func(): return not _beacons().is_empty(), "a beacon")


## How many beacons come in so many seconds.
func _count_in(duration: float) -> int:
	var count := 0
	var end := Time.get_ticks_msec() + int(duration * 1000)
	while Time.get_ticks_msec() < end:
		await get_tree().process_frame
		count += _beacons().size()
	return count


func test_format() -> void:
	await until(func(): return _listener.get_available_packet_count() > 0, "a beacon")
	var text := _listener.get_packet().get_string_from_utf8()
	var beacon: Dictionary = JSON.parse_string(text)
	equal(beacon.keys().slice(0, 4), ["service", "ip", "port", "timestamp"], "the first keys, in this order")
	equal(beacon.service, "websocket_server", "service")
	equal(beacon.ip, _listener.get_packet_ip(), "ip is the address it came from")
	equal(beacon.ip, WebSocketServer.get_server_status().local_ip, "ip is the one of the status")
	check(not beacon.ip.begins_with("127."), "not loopback")
	equal(int(beacon.port), WebSocketServer.get_server_status().server_port, "port")
	check(absf(beacon.timestamp - Time.get_unix_time_from_system()) < 10, "timestamp is now")
	for key in ["port", "timestamp"]:
		check(text.contains("\"%s\":%d," % [key, beacon[key]]) or text.contains("\"%s\":%d}" % [key, beacon[key]]),
				key + " is written as a whole number: " + text)


func test_every_two_seconds() -> void:
	# The beginning may be called several times.
	await seconds(1.0)
	_beacons()
	var count := await _count_in(8.2)
	check(count == 4 or count == 5, "%d beacons in eight seconds" % count)


func test_silent_while_somebody_is_connected() -> void:
	await _hurry()
	await _next_beacon()
	var first := await connected_client()
	var second := await connected_client()
	_beacons()
	equal(await _count_in(1.0), 0, "beacons while two are connected")
	first.close()
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 1, "one has left")
	equal(await _count_in(0.6), 0, "beacons while one is still connected")
	equal(WebSocketServer.get_server_status().discovery_active, false, "announcing")
	second.close()
	await until(func(): return WebSocketServer.get_server_status().discovery_active, "announcing again")
	await _next_beacon()


func test_stop_service_discovery() -> void:
	await _hurry()
	await _next_beacon()
	WebSocketServer.stop_service_discovery()
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.discovery_enabled, false, "discovery wanted")
	equal(status.discovery_active, false, "announcing")
	equal(status.server_running, true, "running")
	await seconds(0.1)
	_beacons()
	WebSocketServer.broadcast_now()
	equal(await _count_in(1.0), 0, "beacons after the stop")
	var client := await connected_client()
	client.close()
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "the client has left")
	equal(await _count_in(0.6), 0, "beacons after the last one has left")
	WebSocketServer.start_service_discovery()
	await _next_beacon()


func test_broadcast_now() -> void:
	await _hurry()
	var client := await connected_client()
	await seconds(0.1)
	_beacons()
	equal(await _count_in(0.6), 0, "beacons while somebody is connected")
	WebSocketServer.broadcast_now()
	await _next_beacon()
	client.close()


func test_also_on_the_port_it_fell_back_to() -> void:
	if arguments.python.is_empty():
		skipped = "there is no Python to see what is sent to a port that the server has"
		return
	# The listener has 8766, so the server falls back; those who follow it there must hear it as well.
	await python("sniff.py", ["8766", "8767"])
