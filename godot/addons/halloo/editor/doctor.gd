@tool
extends VBoxContainer
## A button that runs [code]HallooDoctor[/code], and below it what the doctor has found.

const NATIVE_CLASS := &"HallooDoctor"
const RUNNING := "Examining this machine…"
const FAILED := "The examination failed; see the output for the reason."
const COLORS := {"ok": Color.SEA_GREEN, "warn": Color.ORANGE, "fail": Color.INDIAN_RED}

var _button := Button.new()
var _report := RichTextLabel.new()
## A [code]HallooDoctor[/code]; the type does not exist without the native library.
var _doctor: RefCounted


func _init() -> void:
	_button.text = "Why is the server not found?"
	_button.tooltip_text = "Examine the network, ports and firewall of this machine for a few seconds. Run the project first."
	_button.pressed.connect(_examine)
	_report.size_flags_vertical = SIZE_EXPAND_FILL
	_report.custom_minimum_size.y = 160
	_report.selection_enabled = true
	_report.visible = false
	add_child(_button)
	add_child(_report)
	visible = ClassDB.class_exists(NATIVE_CLASS)


func _ready() -> void:
	set_process(false)


func _process(_delta: float) -> void:
	if _doctor.is_busy():
		return
	set_process(false)
	_button.disabled = false
	_show(_doctor.get_findings(), _doctor.get_limitations())
	_doctor = null


func _examine() -> void:
	_doctor = ClassDB.instantiate(NATIVE_CLASS)
	size_flags_vertical = SIZE_EXPAND_FILL
	_report.visible = true
	_report.clear()
	_report.add_text(RUNNING)
	_button.disabled = true
	_doctor.examine()
	set_process(true)


func _show(findings: Array, limitations: PackedStringArray) -> void:
	_report.clear()
	# Names from the network may look like BBCode, so no text is parsed.
	for finding: Dictionary in findings:
		_report.push_color(COLORS[finding.severity])
		_report.add_text("%s  " % finding.severity)
		_report.pop()
		_report.add_text("%s: %s\n" % [finding.about, finding.text])
		if finding.todo:
			_report.add_text("    -> %s\n" % finding.todo)
	if findings.is_empty():
		_report.add_text(FAILED)
	else:
		_report.add_text("\nCannot be checked from this machine:\n" + "\n".join(limitations))
