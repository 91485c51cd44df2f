"""For teachers: handouts without solutions, and grades for what learners hand in.

    handout.py      a lesson without its solutions
    collected.py    whose notebook it is
    submissions.py  which lesson it is of, and which code of it runs
    signs.py        what in that code could change the check, read before it runs
    grader.py       the teacher's side: a server, an exercise at a time, rows of the table
    server.py       forks one process an exercise, and ends it with all that it started
    limits.py       time, memory, files and processes of such a process
    judge.py        inside of it: runs the code, then the check, and sends the verdict
    guard.py        inside of it: refuses what the code may not do, and notices altered checks
    table.py        grades.csv, the summary and the reports

**What is not prevented.** A check tries a learner's function on tensors, networks and optimizers,
so both run in one process, and Python has no wall inside a process. The guard stops the ways that
are known to us: reading the solutions, replacing ``check`` or what the checks call, looking into
the frames above, ending the process, writing to the verdict's pipe. Somebody who reads and writes
the process's memory by way of a compiled library can get past it. So can code that alters a
function only while the check runs and puts it back before it ends, and code that has a library's
function do what it may not do itself. A file opened by compiled code, or by its place in an open
folder, is not seen by the guard. Graded by root, code that gets past it could change any file. Read
the code of a learner whom you do not trust, or grade in a virtual machine.

An answer that is copied, or that calls the same function of colorlab, is passed as any other.

The network is cut by namespaces of Linux where ``unshare`` may make them, and by the guard
everywhere. Grading needs ``fork``: Linux, macOS, or WSL on Windows. We have tried it on Linux.
"""
