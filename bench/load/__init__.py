"""
What sends and receives in a measurement: processes of their own, one at each end
of what is measured, told by lines of JSON what to do.  They are part of every
figure, so they do as little as they can.
"""
