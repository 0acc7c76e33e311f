# Tell whether a file holds whole Tcl commands, without running any: tclsh complete.tcl FILE
# Where a command does not end, print the line in which it begins and end with status 1.
set channel [open [lindex $argv 0]]
fconfigure $channel -encoding utf-8
set command {}
set number 0
set begin 1
while {[gets $channel line] >= 0} {
    incr number
    if {$command eq {}} {
        set begin $number
    }
    append command $line \n
    if {[info complete $command]} {
        set command {}
    }
}
if {$command ne {}} {
    puts stderr "line $begin: a command that begins here does not end"
    exit 1
}
