TEXT = '''
```python
x
```
'''
print('Fizz')
