extends "res://tests/suite.gd"
## The page of the server while [HallooPads] nodes are in the tree.

var pads: HallooPads


func applies_to(implementation: String) -> bool:
	return implementation == "native"


func before() -> void:
	await super()
	pads = HallooPads.new()
	add_child(pads)


## Returns what a browser gets.
func _page(path: String) -> String:
	var request := HTTPRequest.new()
	add_child(request)
	request.request(server_url().replace("ws://", "http://") + path)
	var response: Array = await request.request_completed
	request.queue_free()
	return (response[3] as PackedByteArray).get_string_from_utf8()


func test_invitation_leads_to_the_pad() -> void:
	var link := pads.get_invitation()
	check(link.begins_with("http://") and link.count("/") == 3 and link.ends_with("/"), "the link needs no path: " + link)
	check(pads.get_qr_texture() != null, "there is a QR code")
	check('"layout":{"left":"stick","right":["a","b"]' in await _page("/"), "the page is the pad")
	pads.layout = {"middle": ["buzz"], "labels": {"buzz": "\"Buzz\""}, "tilt": true}
	check('{"middle":["buzz"],"tilt":true,"orientation":"any","labels":{"buzz":"\\"Buzz\\""}}' in await _page("/"),
			"the page has the layout: " + await _page("/"))
	pads.layout = {"left": "joystick"}
	check('"layout":{"left":"stick","right":["a","b"]' in await _page("/"), "an invalid layout is not used")
	# With a page of the game, the link leads to the path of the pad.
	WebSocketServer.serve_files("res://tests/controller")
	link = pads.get_invitation()
	check(link.ends_with("/_halloo/pad") and "Own controller" in await _page("/"), "beside own pages, the link is " + link)
	check("pad.js" in await _page("/_halloo/pad"), "the pad is at its path")
	WebSocketServer.serve_files("")
	await start_server()
	check("pad.js" in await _page("/"), "the page is the pad after a restart")
	pads.free()
	check("<title>halloo</title>" in await _page("/"), "the page of the server is back")
	pads = HallooPads.new()
	add_child(pads)
	WebSocketServer.stop_server()
	equal(pads.get_invitation(), "", "without a server, there is no link")


func test_layout_in_the_settings_makes_the_pad_the_page() -> void:
	pads.free()
	ProjectSettings.set_setting("halloo/pad", {"middle": ["buzz"]})
	await start_server()
	check('"layout":{"middle":["buzz"],"orientation":"any"}' in await _page("/"), "the page is the pad: " + await _page("/"))
	pads = HallooPads.new()
	add_child(pads)
	check('"layout":{"left":"stick"' in await _page("/"), "the node takes its place")
	pads.free()
	check('"layout":{"middle":["buzz"]' in await _page("/"), "until it is gone")
	ProjectSettings.set_setting("halloo/pad", {"middle": ["buzz!"]})
	await start_server()
	check("<title>halloo</title>" in await _page("/"), "an invalid layout is not used")
	ProjectSettings.set_setting("halloo/pad", null)
