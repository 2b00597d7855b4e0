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


func test_page_stays_the_pad_when_a_node_takes_the_place_of_another() -> void:
	pads.layout = {"middle": ["old"]}
	var successor := HallooPads.new()
	successor.layout = {"middle": ["new"]}
	add_child(successor)
	pads.queue_free()
	await until(func(): return not is_instance_valid(pads), "the old node is freed")
	check('"layout":{"middle":["new"]' in await _page("/"), "the page is the pad of the new node: " + await _page("/"))
	successor.free()
	check("<title>halloo</title>" in await _page("/"), "the page of the server is back")


func test_page_is_the_pad_of_the_node_that_entered_the_tree_last() -> void:
	var later := HallooPads.new()
	later.layout = {"middle": ["later"]}
	add_child(later)
	pads.layout = {"middle": ["first"]}
	check('"layout":{"middle":["later"]' in await _page("/"), "another node does not change it: " + await _page("/"))
	later.free()
	check('"layout":{"middle":["first"]' in await _page("/"), "the first node is the last again: " + await _page("/"))


func test_page_is_the_pad_again_when_a_node_is_back_in_the_tree() -> void:
	var parent := Node.new()
	add_child(parent)
	pads.reparent(parent)
	check("pad.js" in await _page("/"), "the page is the pad under another parent")
	remove_child(parent)
	check("<title>halloo</title>" in await _page("/"), "the page of the server is back")
	add_child(parent)
	check("pad.js" in await _page("/"), "the page is the pad again")


func test_node_outside_the_tree_does_not_change_the_page() -> void:
	remove_child(pads)
	pads.layout = {"middle": ["buzz"]}
	check("<title>halloo</title>" in await _page("/"), "the page is that of the server")
	add_child(pads)
	check('"layout":{"middle":["buzz"]' in await _page("/"), "the layout is used in the tree: " + await _page("/"))


func test_layout_is_kept_while_the_server_is_busy() -> void:
	var autoload: Node = WebSocketServer.instance
	var server: Node = autoload._server
	var busy := BusyServer.new()
	autoload._server = busy
	pads.layout = {"middle": ["buzz"]}
	for i in 4:
		await get_tree().process_frame
	autoload._server = server
	equal(busy.layouts, [pads.layout, pads.layout, pads.layout], "the layouts until the server takes one")
	busy.free()


func test_pad_is_hidden_when_the_server_is_no_longer_busy() -> void:
	var autoload: Node = WebSocketServer.instance
	var server: Node = autoload._server
	var busy := BusyServer.new()
	autoload._server = busy
	pads.free()
	for i in 4:
		await get_tree().process_frame
	equal(busy.hides, 3, "attempts until the server hides the pad")
	# A node that takes the place meanwhile keeps it.
	busy.hides = 0
	pads = HallooPads.new()
	add_child(pads)
	remove_child(pads)
	add_child(pads)
	for i in 4:
		await get_tree().process_frame
	equal(busy.hides, 1, "attempts while there was no node")
	autoload._server = server
	busy.free()


## A server that cannot take the first two layouts, nor hide the pad at the first two attempts.
class BusyServer:
	extends Node
	var layouts: Array[Dictionary] = []
	var hides := 0

	func show_pad(layout: Dictionary) -> Error:
		layouts.append(layout)
		return ERR_BUSY if layouts.size() <= 2 else OK

	func hide_pad() -> Error:
		hides += 1
		return ERR_BUSY if hides <= 2 else OK
