@tool
extends VBoxContainer
## The button "Why is it not found?", and below it what the native library finds out about this machine.

const NATIVE_CLASS := &"HallooDoctor"
const LOOKING := "looking..."
const BROKE_OFF := "It could not be found out; the console says why."
const COLORS := {"ok": Color.SEA_GREEN, "warn": Color.ORANGE, "fail": Color.INDIAN_RED}

var _button := Button.new()
var _report := RichTextLabel.new()
## A [code]HallooDoctor[/code], which cannot be named here: there may be no native library.
var _doctor: RefCounted


func _init() -> void:
	_button.text = "Why is it not found?"
	_button.tooltip_text = "Examine this machine, best while the project runs: network, ports, firewall. It takes seconds."
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
	_show(_doctor.get_findings(), _doctor.get_beyond())
	_doctor = null


func _examine() -> void:
	_doctor = ClassDB.instantiate(NATIVE_CLASS)
	size_flags_vertical = SIZE_EXPAND_FILL
	_report.visible = true
	_report.clear()
	_report.add_text(LOOKING)
	_button.disabled = true
	_doctor.examine()
	set_process(true)


func _show(findings: Array, beyond: PackedStringArray) -> void:
	_report.clear()
	# What others have named may look like BBCode, so nothing is parsed.
	for finding: Dictionary in findings:
		_report.push_color(COLORS[finding.severity])
		_report.add_text("%s  " % finding.severity)
		_report.pop()
		_report.add_text("%s: %s\n" % [finding.about, finding.text])
		if finding.todo:
			_report.add_text("    -> %s\n" % finding.todo)
	if findings.is_empty():
		_report.add_text(BROKE_OFF)
	else:
		_report.add_text("\nWhat cannot be seen from here:\n" + "\n".join(beyond))
